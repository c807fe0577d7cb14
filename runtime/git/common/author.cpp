#include "runtime/git/common/author.hpp"

#include <utility>

namespace greenroom::git {

namespace {

std::string clean(std::string text, const char* fallback) {
  std::erase_if(text, [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>'
           || c == 0x7f;
  });
  auto empty = text.find_first_not_of(" .,:;\"\\'") == text.npos;
  return empty ? fallback : text;
}

} // namespace

author as_git_takes_it(author by) {
  return {clean(std::move(by.name), "greenroom"),
          clean(std::move(by.email), "greenroom@localhost")};
}

} // namespace greenroom::git
