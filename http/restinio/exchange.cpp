#include "http/restinio/exchange.hpp"

#include "http/base/asio.hpp"
#include "http/base/reply.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/thread_context.hpp"
#include "http/restinio/upgrade.hpp"

#include <string>
#include <utility>

namespace greenroom::http {

namespace {

restinio::http_status_line_t status_line(int status) {
  return {restinio::http_status_code_t{static_cast<std::uint16_t>(status)},
          std::string{reason_of(status)}};
}

/// The value of Cache-Control, and the other fields that every answer has: the
/// library looks each field's name up and keeps it in two texts, and writes a
/// value as it is. A request id is visible ASCII.
std::string fields_of_all(std::string_view id) {
  std::string result =
    "no-store\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: ";
  result += id;
  return result;
}

template <class Builder>
void add_headers(Builder& to, const response& answer, std::string_view id) {
  if (!answer.content_type.empty())
    to.append_header(restinio::http_field::content_type,
                     std::string{answer.content_type});
  to.append_header(restinio::http_field::cache_control, fields_of_all(id));
  if (answer.close)
    to.connection_close();
  for (auto& [name, value] : answer.headers)
    to.append_header(std::string{name}, value);
}

/// A body in chunks (`chunked_output_t`) or of known length
/// (`user_controlled_output_t`). One that is given up must not look whole, nor
/// keep its client waiting for the rest: its connection is cut.
///
/// What is written may end the connection at once, and with it whoever writes:
/// this is gone then, and the call goes on with what it has kept.
template <class Output>
class body_in_parts final : public body_writer {
public:
  using builder = restinio::response_builder_t<Output>;

  body_in_parts(builder to, std::shared_ptr<connection_progress> progress,
                answer_kind kind, loop& home)
    : answer_(std::make_shared<answer>(
      answer{std::move(to), std::move(progress), kind})),
      home_(home) {}
  ~body_in_parts() override {
    abort();
  }

  void write(std::vector<slice> parts,
             std::function<void(bool)> done) override {
    const auto kept = answer_;
    connection_progress::scope of{kept->progress};
    for (auto& part : parts)
      append(kept->to, restinio::writable_item_t{std::move(part)});
    if (!done) {
      kept->to.flush();
      return;
    }
    const auto inside = kept->inside;
    *inside = true;
    kept->to.flush(
      [&home = home_, inside, done = std::move(done)](const error_code& error) {
        // Of a connection that is gone already the library says so at once.
        if (*inside)
          home.post([done, well = !error] { done(well); });
        else
          done(!error);
      });
    *inside = false;
  }

  void finish() override {
    const auto kept = answer_;
    if (std::exchange(kept->finished, true))
      return;
    connection_progress::scope of{kept->progress};
    kept->to.done();
    kept->progress->answer_ends(kept->kind);
  }

  // Not by the builder, which would write the last chunk.
  void abort() override {
    const auto kept = answer_;
    if (!std::exchange(kept->finished, true))
      kept->progress->cut();
  }

private:
  struct answer {
    builder to;
    const std::shared_ptr<connection_progress> progress;
    const answer_kind kind;
    bool finished = false;
    const std::shared_ptr<bool> inside = std::make_shared<bool>(false);
  };

  static void append(builder& to, restinio::writable_item_t part) {
    if constexpr (std::is_same_v<Output, restinio::chunked_output_t>)
      to.append_chunk(std::move(part));
    else
      to.append_body(std::move(part));
  }

  const std::shared_ptr<answer> answer_;
  loop& home_;
};

verb verb_of(const restinio::http_method_id_t& method) {
  if (method == restinio::http_method_get()
      || method == restinio::http_method_head())
    return verb::get;
  if (method == restinio::http_method_post())
    return verb::post;
  if (method == restinio::http_method_put())
    return verb::put;
  if (method == restinio::http_method_patch())
    return verb::patch;
  if (method == restinio::http_method_delete())
    return verb::del;
  return verb::other;
}

/// `http://host/path`, the form that proxies are sent, is the path to us.
std::string_view without_origin(std::string_view target) {
  if (target.starts_with('/'))
    return target;
  auto origin = target.find("://");
  if (origin == std::string_view::npos)
    return target;
  auto path = target.find('/', origin + 3);
  return path == std::string_view::npos ? "/" : target.substr(path);
}

} // namespace

library_exchange::library_exchange(http::edge& thread,
                                   restinio::request_handle_t request,
                                   const bool& inside)
  : exchange(thread), request_(std::move(request)), inside_(inside),
    progress_(connection_progress::current()) {
  of_peer = progress_->of_peer;
  in_spare_place = progress_->in_spare_place;
  auto& header = request_->header();
  in.verb = verb_of(header.method());
  in.head = header.method() == restinio::http_method_head();
  in.method = header.method().c_str();
  auto path = header.path();
  auto query = header.query();
  in.path = without_origin({path.data(), path.size()});
  in.query = {query.data(), query.size()};
  in.body = request_->body();
  in.needs_host = true; // the library does not say which version was sent
  header.for_each_field([this](const auto& field) {
    auto to = place_of(field);
    if (to == nullptr)
      return;
    if ((to == &in.host || to == &in.origin) && to->data() != nullptr)
      in.two_names = true;
    *to = field.value();
  });
  // What is asked for without this is not asked for.
  if (header.connection() != restinio::http_connection_header_t::upgrade)
    in.upgrade = {};
}

library_exchange::~library_exchange() {
  abandon();
}

std::uint64_t library_exchange::connection_id() const noexcept {
  return request_->connection_id();
}

std::string library_exchange::address() const {
  if (!client_address.empty())
    return client_address;
  return request_->remote_endpoint().address().to_string();
}

void library_exchange::on_input_end(std::function<void()> told) {
  at_input_end_.reset();
  if (!told)
    return;
  // The socket tells of it from inside its own work.
  auto& home = env.loop;
  at_input_end_ = std::make_shared<std::function<void()>>(
    [&home, told = std::move(told)] { home.post(told); });
  progress_->await_input_end(at_input_end_);
}

void library_exchange::transmit(response&& answer) {
  auto self =
    std::static_pointer_cast<library_exchange>(weak_from_this().lock());
  if (!inside_ || !self) {
    write(std::move(answer));
    return;
  }
  waiting_ = std::move(answer);
  env.loop.post([self] { self->write(std::move(self->waiting_)); });
}

std::unique_ptr<body_writer> library_exchange::transmit_head(response&& head) {
  auto kind = head.content_length || head.ends_by_itself ? answer_kind::whole
                                                         : answer_kind::stream;
  head.close = head.close || in_spare_place;
  progress_->answer_begins(kind);
  return begin_body(std::move(head), kind);
}

std::unique_ptr<body_writer> library_exchange::begin_body(response&& head,
                                                          answer_kind kind) {
  if (head.content_length) {
    using output = restinio::user_controlled_output_t;
    auto to = request_->create_response<output>(status_line(head.status));
    to.set_content_length(*head.content_length);
    add_headers(to, head, id);
    return std::make_unique<body_in_parts<output>>(std::move(to), progress_,
                                                   kind, env.loop);
  }
  using output = restinio::chunked_output_t;
  auto to = request_->create_response<output>(status_line(head.status));
  add_headers(to, head, id);
  return std::make_unique<body_in_parts<output>>(std::move(to), progress_, kind,
                                                 env.loop);
}

std::shared_ptr<web_socket>
library_exchange::transmit_upgrade(std::string_view protocol,
                                   web_socket_events&& events) {
  return upgrade_connection<library_traits>(*request_, protocol, id,
                                            env.options, std::move(events));
}

void library_exchange::write(response&& answer) {
  connection_progress::scope of{progress_};
  answer.close = answer.close || in_spare_place;
  progress_->answer_begins(answer_kind::whole);
  write_whole(std::move(answer));
  progress_->answer_ends(answer_kind::whole);
}

void library_exchange::write_whole(response&& answer) {
  if (in.head || answer.status == 204) {
    auto to = request_->create_response<restinio::user_controlled_output_t>(
      status_line(answer.status));
    to.set_content_length(answer.content_length.value_or(answer.text().size()));
    add_headers(to, answer, id);
    to.done();
    return;
  }
  auto to = request_->create_response(status_line(answer.status));
  add_headers(to, answer, id);
  if (answer.shared.size() > 0)
    to.set_body(restinio::writable_item_t{std::move(answer.shared)});
  else
    to.set_body(std::move(answer.body));
  to.done();
}

std::string_view*
library_exchange::place_of(const restinio::http_header_field_t& field) {
  switch (field.field_id()) {
    case restinio::http_field::authorization:
      return &in.authorization;
    case restinio::http_field::content_type:
      return &in.content_type;
    case restinio::http_field::range:
      return &in.range;
    case restinio::http_field::origin:
      return &in.origin;
    case restinio::http_field::accept:
      return &in.accept;
    case restinio::http_field::cookie:
      return &in.cookie;
    case restinio::http_field::host:
      return &in.host;
    case restinio::http_field::upgrade:
      return &in.upgrade;
    case restinio::http_field::sec_websocket_key:
      return &in.web_socket_key;
    case restinio::http_field::sec_websocket_version:
      return &in.web_socket_version;
    case restinio::http_field::sec_websocket_protocol:
      return &in.web_socket_protocol;
    default:
      break;
  }
  using restinio::impl::is_equal_caseless;
  auto is = [&](std::string_view name) {
    auto& sent = field.name();
    return sent.size() == name.size()
           && is_equal_caseless(sent.data(), name.data(), name.size());
  };
  if (is("x-api-key"))
    return &in.api_key;
  if (is("x-request-id"))
    return &in.request_id;
  if (is("last-event-id"))
    return &in.last_event_id;
  if (is("idempotency-key"))
    return &in.idempotency_key;
  if (is("x-greenroom-console"))
    return &in.console;
  if (is(client_header))
    return &in.passed_on_for;
  return nullptr;
}

} // namespace greenroom::http
