#include "runtime/git/mirror/signatures.hpp"

namespace greenroom::git {

signature_handle sign(const author& from) {
  auto by = as_git_takes_it(from);
  signature_handle result;
  check(git_signature_now(receive(result), by.name.c_str(), by.email.c_str()),
        "cannot sign a commit");
  return result;
}

} // namespace greenroom::git
