# The rules of the house that no compiler holds (rules.h).
add_executable(unit_house house/house_test.cpp house/rules.cpp)
target_link_libraries(unit_house PRIVATE gotuned_test_main)
add_test(NAME house COMMAND unit_house)
set_tests_properties(house PROPERTIES LABELS unit)
