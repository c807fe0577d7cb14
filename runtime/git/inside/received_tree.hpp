// Whether what a push brings is more than a session may have: git's pre-receive
// hook in the session's repository.
//
// A session may have no commands that run, in whose course what it holds is
// measured; and a pack of a few kilobytes can stand for any number of files of
// any size, which a push would have written into the checkout by then. So it is
// looked at while nothing has moved yet.
#pragma once

namespace greenroom::git {

/// Reads git's lines "OLD NEW REF" from stdin, and the limits from
/// tree_limits_variable. Answers 0 where all may come,
/// else 1 with a sentence on stderr, which git shows to who pushes.
int judge_push();

} // namespace greenroom::git
