// What is PostgreSQL's own: how it is reached, and what its errors mean.
//
// For connection.cpp only. A connection that is lost is made anew by the next
// one who needs it.
#pragma once

#include "runtime/store/sql.hpp"

#include <string>

namespace greenroom::store::postgresql {

/// Where a postgresql:// URL leads, for messages: without user and password.
/// Throws std::runtime_error, which quotes nothing, for what is no such URL.
std::string place_of(const std::string& url);

/// Sets a connection up for `url` without opening it.
void prepare(connection::state& state, const std::string& url, millis timeout);

/// The server, or the way to it, is gone, and with it the session there.
bool is_lost(connection::state& state);

/// A statement of the transaction at hand has failed: nothing of it can be
/// kept, but COMMIT would not say so.
bool is_spoiled(connection::state& state);

/// Conditions that may pass, as opposed to bugs.
bool may_pass(const soci::soci_error& error);

/// Two transactions stood in each other's way, and this one was given up.
bool is_collision(const soci::soci_error& error);

} // namespace greenroom::store::postgresql
