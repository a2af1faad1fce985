# Tables that are written while immure is built, by tools that are built first. The start binary's build has none of
# this: it takes the tables of the other build (IMMURE_GENERATED), whose target immure_generated makes them all.
#
# immure_table(file.inc TOOL target ARGS argument… DEPENDS file…): `TOOL ARGS… file.inc` writes the table. The file that
# includes it is named under TABLES in cmake/rooms.cmake, the table itself under GENERATED.
set(immure_tables)
function(immure_table table)
  cmake_parse_arguments(TABLE "" "TOOL" "ARGS;DEPENDS" ${ARGN})
  set(output ${IMMURE_GENERATED}/${table})
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${IMMURE_GENERATED}
    COMMAND ${TABLE_TOOL} ${TABLE_ARGS} ${output}
    DEPENDS ${TABLE_TOOL} ${TABLE_DEPENDS}
    COMMENT "Writing ${table}" VERBATIM)
  set(immure_tables ${immure_tables} ${output} PARENT_SCOPE)
endfunction()

# The default jail's seccomp filters.
add_executable(gen_filter tools/gen_filter.cc)
target_link_libraries(gen_filter PRIVATE room_filter_core)
immure_table(default_filter.inc TOOL gen_filter)

# The profiles that both programs carry.
add_executable(gen_profiles tools/gen_profiles.cc)
target_link_libraries(gen_profiles PRIVATE room_input_core)
file(GLOB shipped_profiles CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/profiles/*.toml)
immure_table(profiles.inc TOOL gen_profiles ARGS ${PROJECT_SOURCE_DIR}/profiles DEPENDS ${shipped_profiles})

# What immure build knows: kept as it is written, read when it is asked for.
add_executable(gen_texts tools/gen_texts.cc)
target_link_libraries(gen_texts PRIVATE room_base)
foreach(kind families presets)
  file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${kind}/*.toml)
  immure_table(${kind}.inc TOOL gen_texts ARGS ${PROJECT_SOURCE_DIR}/${kind} DEPENDS ${files})
endforeach()

# What `immure version` says of the source. It is written again when a commit was made.
set(revision_log ${PROJECT_SOURCE_DIR}/.git/logs/HEAD)
if(NOT EXISTS ${revision_log})
  set(revision_log)
endif()
add_custom_command(OUTPUT ${IMMURE_GENERATED}/revision.inc
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DOUTPUT=${IMMURE_GENERATED}/revision.inc
    -P ${PROJECT_SOURCE_DIR}/cmake/revision.cmake
  DEPENDS ${revision_log} VERBATIM)
set_source_files_properties(${PROJECT_SOURCE_DIR}/src/cli/version.cc PROPERTIES
  OBJECT_DEPENDS ${IMMURE_GENERATED}/revision.inc INCLUDE_DIRECTORIES ${IMMURE_GENERATED})

add_custom_target(immure_generated DEPENDS ${immure_tables})
