// What a tenant has of a node: a key to look and to work in one project.
#pragma once

#include "tests/api/demo.hpp"

#include <string>

namespace greenroom::test {

/// With its `id` and `key`.
inline json key_for(const node_process& node, const std::string& project) {
  return expect(201,
                node.admin().post(
                  "/keys", {{"name", project},
                            {"projects", {project}},
                            {"scopes", {"sessions:read", "sessions:execute"}}}))
    .data();
}

} // namespace greenroom::test
