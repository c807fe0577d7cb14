// Thousands of sessions in a node's store, as if they had been made: what a
// node costs with them can be measured without making them.
#pragma once

#include "bench/support/node.hpp"

namespace greenroom::bench {

struct crowd {
  int live = 0;
  int ended = 0; // shortly before
};

/// Writes the sessions into the store of a node that is stopped, with sqlite3.
/// They are of the project `crowd`, like one that the node has made there;
/// those that live have an empty checkout. Throws
/// std::runtime_error where sqlite3 is not installed.
void add_crowd(const node& to, const crowd& what);

/// Reads all columns of all sessions with sqlite3.
void read_all_rows(const node& of);

} // namespace greenroom::bench
