// A list of references on its way from a session's git to a client, to which
// the upstream's branches are added, which a clone of a session has as its
// origin/*, and what else was asked for by name. Their objects are the
// session's too, which borrows the mirror's.
#pragma once

#include "messages/records.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::http::git_http {

class ref_list {
public:
  /// `more` are full names and their commits; where there are `prefixes`, only
  /// those are wanted that begin with one of them.
  ref_list(string_map more, std::vector<std::string> prefixes);

  /// What the client gets for these bytes of git's.
  std::string pass(std::string_view bytes);

  /// What is left at the end.
  std::string rest();

private:
  std::string additions();
  void see(std::string_view line);

  string_map more_;
  std::string pending_;
  bool empty_ = false; // by protocol 0 what git can do stands for a reference
  bool done_ = false;  // or not framed as git does: passed as it is
};

/// True for a request of protocol 2 for a list of references.
bool asks_for_list(std::string_view request);

/// True while that cannot be known yet, or its end has not come.
bool may_be_part_of_list(std::string_view request);

/// What it wants of the list; empty: all.
std::vector<std::string> prefixes_of(std::string_view request);

} // namespace greenroom::http::git_http
