// What a command is fed at first: the text that came with the request for it.
//
// It is part of the command's intent, so it lies in exec/<eid>/stdin from
// before anybody may start the command. Whoever takes that file away feeds it,
// and only one can: so it is fed at most once, whatever dies meanwhile. That is
// the runner, as it starts the command, which it does once; or, where a runner
// is of a release that does not know the file, the node when it hears that the
// command runs. A command that was not started yet has it still, whoever starts
// it after a crash; one that was started before has it no more.
//
// To take it needs no word between node and runner, so it needs no version of
// the protocol either.
#pragma once

#include "runtime/base/fd.hpp"

namespace greenroom::runner {

/// Takes the first input of the exec whose directory this is, to be read from
/// its beginning. Nothing where there is none, or somebody else has it. Throws
/// std::system_error; it is then still there, or lost to all.
unique_fd take_first_input(int exec_dir);

} // namespace greenroom::runner
