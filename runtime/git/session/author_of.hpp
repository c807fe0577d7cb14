// Who is the author of what a caller commits.
#pragma once

#include "messages/records.hpp"
#include "runtime/git/common/author.hpp"

namespace greenroom {

/// `Name <mail>` where the caller's key has one; else the key's name, and a
/// mail that is nobody's.
git::author author_of(const caller& by);

/// The same of whom a session is, for what ends it or keeps its work without
/// anybody's request.
git::author author_of(const session_record& session);

} // namespace greenroom
