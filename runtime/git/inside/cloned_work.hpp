// What is a user's own in a clone of something else.
//
// Its commits begin with others that neither the session's repository nor its
// upstream has: all of their history would have to be kept with them, and of a
// shallow or partial clone that is not even there. So it is kept in a form that
// needs none of it.
#pragma once

#include "runtime/git/inside/named_work.hpp"
#include "runtime/git/inside/staging.hpp"

#include <string>

namespace greenroom::git {

/// `tree` as a commit of only the files that differ, without a parent, and all
/// else as `bundle`: a commit with one file, `work.bundle`. Their messages say
/// what they begin with. `shown` is the clone's path, for messages.
named_work work_of_clone(const repo& in, unpublished_work found,
                         const std::string& shown, const author& by);

} // namespace greenroom::git
