// A request of the HTTP library as an exchange.
#pragma once

#include "http/edge/exchange.hpp"
#include "http/restinio/connection_progress.hpp"
#include "http/restinio/traits.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace greenroom::http {

/// The library forgets where it is in a connection when a request is answered
/// before its handler has returned and another one is on its way. So such
/// answers wait until it has.
class library_exchange final : public exchange {
public:
  /// `inside` is true while the handler runs, and outlives this.
  library_exchange(http::edge& thread, restinio::request_handle_t request,
                   const bool& inside);
  ~library_exchange() override;

  std::uint64_t connection_id() const noexcept override;
  std::string address() const override;
  void on_input_end(std::function<void()> told) override;

protected:
  void transmit(response&& answer) override;
  std::unique_ptr<body_writer> transmit_head(response&& head) override;
  std::shared_ptr<web_socket>
  transmit_upgrade(std::string_view protocol,
                   web_socket_events&& events) override;

private:
  void write(response&& answer);
  void write_whole(response&& answer);
  std::unique_ptr<body_writer> begin_body(response&& head, answer_kind kind);
  std::string_view* place_of(const restinio::http_header_field_t& field);

  restinio::request_handle_t request_;
  const bool& inside_;
  response waiting_;
  const std::shared_ptr<connection_progress> progress_;
  std::shared_ptr<std::function<void()>> at_input_end_; // null: nobody is told
};

} // namespace greenroom::http
