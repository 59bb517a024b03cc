# outbox_library(NAME core SRCS a.cc b.cc DEPS other::target PRIVATE_DEPS third::party [PCH <header>...])
# makes the static library `outbox_core` with the alias `outbox::core`. Headers are included by path from the root.
# Third-party headers that are slow to compile can be named in PCH; they are precompiled once for the library.
function(outbox_library)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS;PRIVATE_DEPS;PCH" ${ARGN})
  set(target "outbox_${ARG_NAME}")
  add_library(${target} STATIC ${ARG_SRCS})
  add_library(outbox::${ARG_NAME} ALIAS ${target})
  target_include_directories(${target} PUBLIC "${CMAKE_SOURCE_DIR}")
  target_link_libraries(${target} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
  if(ARG_PCH)
    target_precompile_headers(${target} PRIVATE ${ARG_PCH})
  endif()
endfunction()
