// The audit: entries are added and, when they are old, removed; never changed.
#pragma once

#include "messages/audit.hpp"
#include "runtime/store/connection.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace greenroom::store {

/// What a query without a limit gives at a time.
inline constexpr std::uint32_t audit_page_size = 500;

/// What an entry has as its key's name, and no key's id, where the server does
/// something by itself.
inline constexpr const char* own_name_in_audit = "greenroom";

/// The same for what nobody asked for at that moment: what was due by the
/// clock, what a configuration that was read again says, what a review command
/// has decided, and what a session's clone token has let in.
inline constexpr const char* clock_in_audit = "clock";
inline constexpr const char* configuration_in_audit = "configuration";
inline constexpr const char* reviewer_in_audit = "reviewer";
inline constexpr const char* clone_token_in_audit = "clone token";

/// An entry of now for what no request asked for; `status` and what it is about
/// are for the caller to add.
audit_entry unasked_entry(const char* who, const std::string& node,
                          const char* method, const char* route, unix_ms now);

/// An entry that is there already is left as it is, so that who never heard
/// whether it was stored may add it again.
void add_audit(connection& c, std::span<const audit_entry> entries);

/// Newest first. A cursor that is none is refused as bad_request.
audit_page list_audit(connection& c, const query_audit& query);

/// Removes entries older than `before`, and those beyond the newest `max`.
/// Returns how many.
std::uint64_t drop_audit(connection& c, unix_ms before, std::uint64_t max);

} // namespace greenroom::store
