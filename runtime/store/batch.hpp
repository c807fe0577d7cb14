// Many writes, one commit.
#pragma once

#include "runtime/store/connection.hpp"

#include <exception>
#include <functional>
#include <span>
#include <vector>

namespace greenroom::store {

using operation = std::function<void(connection&)>;

/// Runs the operations in order in one transaction. One that throws is undone
/// and disturbs no other. Returns what each threw, null for those that are
/// committed; where the transaction as a whole fails, nothing has happened and
/// every entry has the error. Throws nothing itself but std::bad_alloc.
std::vector<std::exception_ptr>
run_batch(connection& c, std::span<const operation> operations);

} // namespace greenroom::store
