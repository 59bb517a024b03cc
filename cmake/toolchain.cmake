# How every target is compiled: C++20, warnings as errors, hardening, sanitizers, ccache, reproducible paths.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(OUTBOX_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize= takes them")
option(OUTBOX_FAILPOINTS "Compile the named crash points in (crash suite only, never shipped)" OFF)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
# Asserts of ours are always on (relay/core/assert.h); -g1 keeps stack traces and small objects.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")
set(CMAKE_CXX_FLAGS_SANITIZE "-O1 -g1 -fno-omit-frame-pointer")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # A second clone of the same sources hits the cache too: paths are hashed from the root.
  set(CMAKE_CXX_COMPILER_LAUNCHER env "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" CCACHE_NOHASHDIR=1
                                  "${CCACHE_PROGRAM}")
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
                    -Wimplicit-fallthrough -Wnull-dereference -Werror
                    "-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.")
if(OUTBOX_SANITIZE)
  # GCC's own manual warns that this warning guesses wrong under a sanitizer (here: in <regex>).
  add_compile_options("-fsanitize=${OUTBOX_SANITIZE}" -fno-sanitize-recover=all
                      $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  add_link_options("-fsanitize=${OUTBOX_SANITIZE}")
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_options(-D_FORTIFY_SOURCE=2 -fstack-protector-strong -fcf-protection)
  add_link_options(-Wl,-z,relro,-z,now)
endif()
if(OUTBOX_FAILPOINTS)
  add_compile_definitions(OUTBOX_FAILPOINTS)
endif()

find_package(Threads REQUIRED)
enable_testing()
