// Catch2 v2 (Debian 12) and v3 (Debian 13) behind one include.
#pragma once
#if __has_include(<catch2/catch.hpp>)
#include <catch2/catch.hpp>
#else
#include <catch2/catch_all.hpp>
using Catch::Approx;  // as v2 has it
#endif
