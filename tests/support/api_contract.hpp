// Whether what a node answers is what its OpenAPI document says.
//
// A value that knows a document; any thread.
#pragma once

#include "tests/support/traffic.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace greenroom::test {

class api_contract {
public:
  explicit api_contract(nlohmann::json document);

  /// What is not as the document says, one line each, with the method, the
  /// path as the document has it, the status, where in a body and why. Git's
  /// own protocol, below /git/, is not the document's.
  std::vector<std::string> faults_of(const http_exchange& exchange) const;

  /// The same of an event of a stream.
  std::vector<std::string> faults_of(const std::string& path,
                                     const sse_event& event) const;

  const nlohmann::json& document() const noexcept {
    return document_;
  }

private:
  nlohmann::json document_;
};

} // namespace greenroom::test
