// Idempotency-Key: one effect and one answer for a POST that is sent again.
//
// The name is written down before the handler runs, together with the id of
// what the request would make, and the answer before it goes out. A repetition
// gets the kept answer, or, where the answer holds a secret, is served again
// with the same planned id. What the server could not answer (5xx) is not kept:
// its effect is unknown, so a repetition is served again with the planned id
// too. One that was refused before anything was done (429, or the handler says
// so) has never been. Names belong to the API key and are forgotten after 24
// hours.
#pragma once

#include "http/edge/exchange.hpp"

#include <cstdint>
#include <string>

namespace greenroom::http {

/// Serves a POST, by its route's handler or from what is kept. Throws refused.
void serve_once(const exchange_ptr& ex);

/// What is to be written down of one request. One that is destroyed before an
/// answer was kept leaves the name to the next who sends it.
class request_record final : public answer_keeper {
public:
  request_record(http::edge& thread, std::string key_id, std::string name);
  request_record(const request_record&) = delete;
  request_record& operator=(const request_record&) = delete;
  ~request_record() override;

  void keep(const exchange_ptr& ex, response answer) override;

private:
  http::edge& env_;
  const std::string key_id_;
  const std::string name_;
  bool kept_ = false;
  std::uint16_t left_as_ = 500; // where it is not kept
};

} // namespace greenroom::http
