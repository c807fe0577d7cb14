// Whatever a reason says of paths, strangers do not read where they lead.
#include "http/base/without_paths.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <string>

using greenroom::http::without_paths;

namespace {

struct shown {
  const char* text;
  const char* to_strangers;
};

constexpr std::array<shown, 22> sentences{{
  {"the store is locked", "the store is locked"},
  {"/srv/green", "…"},
  {"the disk of /srv/green is full", "the disk of … is full"},
  {"cannot write [/srv/green/x]", "cannot write […]"},
  {"cannot rename [/srv/my data/x] [/srv/my data/y]: no", "cannot rename […] "
                                                          "[…]: no"},
  {"cannot write '/srv/green/x'", "cannot write '…'"},
  {"cannot write \"/srv/my data/x\" now", "cannot write \"…\" now"},
  {"cannot write `/srv/my data/x`, nor that", "cannot write `…`, nor that"},
  {"the node's directory '/srv/a", "the node's directory '…"},
  {"fopen:/srv/green/x: Permission denied", "fopen:…: Permission denied"},
  {"open(/srv/green/x) failed", "open(…) failed"},
  {"dir=/srv/green,/srv/other; gone", "dir=…; gone"},
  {"a|/srv/green|b", "a|…"},
  {"<</srv/green>>", "<<…>>"},
  {"sqlite3:///srv/green/greenroom.db is busy", "sqlite3:… is busy"},
  {"PATH=/usr/bin:/srv/green/bin is it", "PATH=… is it"},
  {"{\"path\":\"/srv/a b\",\"why\":\"x\"}", "{\"path\":\"…\",\"why\":\"x\"}"},
  {"../green/x, ~/green and data/sessions/x.", "…, … and …."},
  {"/srv/green\n/srv/other\tend", "…\n…\tend"},
  {"memory and/or CPU (and/or)", "memory and/or CPU (and/or)"},
  {"/srv/my data/x is", "… … is"},
  {"the root / is full", "the root … is full"},
}};

} // namespace

TEST_CASE("a sentence for strangers names no path") {
  for (const auto& one : sentences)
    CHECK(without_paths(one.text) == one.to_strangers);
}

TEST_CASE("whatever stands before a path, nothing of it is shown") {
  for (int before = 1; before < 128; ++before)
    for (const std::string after : {"", ":", "]", "'", ")", " ", "\""}) {
      auto text =
        std::string{"x"} + static_cast<char>(before) + "/secret/secret" + after;
      CAPTURE(before, after);
      CHECK(without_paths(text).find("secret") == std::string::npos);
      CHECK(without_paths(text).find('/') == std::string::npos);
    }
}
