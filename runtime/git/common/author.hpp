// The author of a commit.
#pragma once

#include <string>

namespace greenroom::git {

/// Who a commit is by. Characters that git does not take are left out.
struct author {
  std::string name;
  std::string email;
};

} // namespace greenroom::git
