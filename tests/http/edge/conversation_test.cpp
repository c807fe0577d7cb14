#include "http/edge/conversation.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace greenroom;

TEST_CASE("a log has of a request's path no query, and an end of it") {
  CHECK(http::loggable_path("/a?key=secret") == "/a");
  CHECK(http::loggable_path("*") == "-");
  CHECK(http::loggable_path("/a\nb") == "/a?b");
  CHECK(http::loggable_path('/' + std::string(16'000, 'a')).size() == 256);
}

TEST_CASE("a log has the beginning of a method that nobody knows") {
  CHECK(http::loggable_method("GET") == "GET");
  CHECK(http::loggable_method("VERSION-CONTROL") == "VERSION-CONTROL");
  CHECK(http::loggable_method("") == "-");
  CHECK(http::loggable_method(std::string(16'000, 'A'))
        == std::string(32, 'A'));
}
