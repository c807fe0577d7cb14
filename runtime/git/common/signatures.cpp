#include "runtime/git/common/signatures.hpp"

namespace greenroom::git {

namespace {

// As git takes it: no line breaks or angle brackets.
std::string clean(std::string text, const char* fallback) {
  std::erase_if(text, [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>'
           || c == 0x7f;
  });
  auto empty = text.find_first_not_of(" .,:;\"\\'") == text.npos;
  return empty ? fallback : text;
}

} // namespace

signature_handle sign(const author& by) {
  signature_handle result;
  check(git_signature_now(receive(result), clean(by.name, "greenroom").c_str(),
                          clean(by.email, "greenroom@localhost").c_str()),
        "cannot sign a commit");
  return result;
}

} // namespace greenroom::git
