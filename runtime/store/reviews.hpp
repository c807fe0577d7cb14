// Reviews in the store.
#pragma once

#include "messages/records.hpp"
#include "runtime/store/connection.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::store {

/// Adds a review or replaces the one with its id. That it is under way, or
/// over, is announced with it where its session does not tell of that. A
/// project's one actor writes its reviews; `as` is the node that it is on, as
/// in projects.hpp, and `node` the one that the audit names. Refused as
/// bad_request for text with NUL.
void put_review(connection& c, const review_record& review,
                const std::string& as = {}, const std::string& node = {});

/// nullopt also where it is another project's; an empty id stands for any.
std::optional<review_record> find_review(connection& c,
                                         const std::string& project_id,
                                         const std::string& id);

struct review_query {
  std::string project_id;
  std::optional<review_status> status; // nullopt: all
  std::uint32_t limit = 0;             // 0: all
  std::string cursor;                  // empty: from the newest
};

struct review_list {
  std::vector<review_record> reviews; // newest first
  std::string next_cursor;            // empty: that was all
};

/// A page of a project's reviews, as list_sessions gives them.
review_list list_reviews(connection& c, const review_query& query);

/// The statement behind list_reviews; its parameters are `project`, and as the
/// query has them `status`, `created` with `id`, and `count`.
std::string review_listing_sql(const review_query& query);

} // namespace greenroom::store
