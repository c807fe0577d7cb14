// Projects in the store.
//
// Where several nodes share it, `as` is the node that writes, and what another
// one owns is refused as unavailable; empty, there is only this one.
#pragma once

#include "messages/records.hpp"
#include "runtime/store/connection.hpp"

#include <stdexcept>
#include <string>
#include <vector>

namespace greenroom::store {

/// A project is in the store as a newer program may have written it.
class unreadable : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Adds a project or replaces it, `stopped` included, and gives it as it is
/// then. Its incarnation is the store's to say: another one than that of any
/// earlier project of the same id, or with another repo. Sessions and reviews
/// of those stay in the store, but are nobody's any more. Refused as
/// bad_request where it is not one that runtime/config/projects.hpp would read,
/// and as conflict where its repo is to change while it has live sessions or
/// open reviews.
project_record put_project(connection& c, const project_record& project,
                           const std::string& as = {});

/// The same for projects of the configuration file, which says nothing about
/// `stopped`: what was stopped stays so. A repo that may not change yet stays
/// as it was. What is new is nobody's until a node takes it.
project_record configure_project(connection& c, const project_record& project,
                                 const std::string& as = {});

/// False where there is none. Refused as conflict while it has live sessions or
/// open reviews; those that are over stay in the store, but are nobody's.
bool delete_project(connection& c, const std::string& id,
                    const std::string& as = {});

/// One that the store has in a form that cannot be read.
struct unread_project {
  std::string id;
  std::string why; // a sentence
};

/// All of them, by id, but those that cannot be read, which go to `unread`.
std::vector<project_record>
projects(connection& c, std::vector<unread_project>* unread = nullptr);

} // namespace greenroom::store
