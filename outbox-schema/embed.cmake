# Writes the migrations as C++: cmake -DOUTPUT=x.cc "-DMIGRATIONS=a.sql;b.sql" -P embed.cmake
set(entries "")
foreach(path IN LISTS MIGRATIONS)
  get_filename_component(file "${path}" NAME)
  if(NOT file MATCHES "^V([0-9]+)__([a-z0-9_]+)\\.sql$")
    message(FATAL_ERROR "${file} is not named V<number>__<name>.sql")
  endif()
  set(name "${CMAKE_MATCH_2}")
  string(REGEX REPLACE "^0+" "" version "${CMAKE_MATCH_1}")
  file(SHA256 "${path}" checksum)
  file(READ "${path}" sql)
  string(APPEND entries
    "    {${version}, \"${name}\", \"${file}\", \"${checksum}\",\n     R\"outbox_sql(${sql})outbox_sql\"},\n")
endforeach()
file(WRITE "${OUTPUT}" "// Made from outbox-schema/migrations by embed.cmake.
#include \"outbox-schema/migration.h\"

namespace outbox::schema {
namespace {
constexpr Migration kMigrations[] = {
${entries}};
}  // namespace
std::span<const Migration> embedded_migrations() { return kMigrations; }
}  // namespace outbox::schema
")
