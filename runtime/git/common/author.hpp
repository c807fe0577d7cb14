// The author of a commit.
#pragma once

#include <string>

namespace greenroom::git {

/// Who a commit is by. Characters that git does not take are left out.
struct author {
  std::string name;
  std::string email;
};

/// As git takes it: without control characters and angle brackets; what is
/// empty then gets a name of ours.
author as_git_takes_it(author by);

} // namespace greenroom::git
