#include "tests/support/sse_client.hpp"

#include "tests/support/lower_case.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/traffic.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace greenroom::test {

namespace {

constexpr std::size_t any = 64 * 1024;

} // namespace

std::uint64_t sse_event::seq() const {
  return std::stoull(id.substr(id.find('-') + 1));
}

sse_client::sse_client(std::uint16_t port, const std::string& path,
                       const std::string& key, const std::string& last_event_id)
  : socket_(connect_to(port)), port_(port), path_(path) {
  auto request = "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                 + "Accept: text/event-stream\r\nAuthorization: Bearer " + key
                 + "\r\n";
  if (!last_event_id.empty())
    request += "Last-Event-ID: " + last_event_id + "\r\n";
  send_all(socket_, request + "\r\n");
  std::size_t end = 0;
  while ((end = raw_.find("\r\n\r\n")) == std::string::npos)
    if (!receive(socket_, raw_, any))
      throw std::runtime_error("the server hung up before it answered");
  auto head = raw_.substr(0, end + 2);
  raw_.erase(0, end + 4);
  status_ = std::stoi(head.substr(head.find(' ') + 1));
  for (auto at = head.find("\r\n") + 2; at < head.size();) {
    auto stop = head.find("\r\n", at);
    auto line = head.substr(at, stop - at);
    auto colon = line.find(": ");
    if (colon != std::string::npos)
      headers_[lower(line.substr(0, colon))] = line.substr(colon + 2);
    at = stop + 2;
  }
  chunked_ = header("transfer-encoding") == "chunked";
  if (!chunked_)
    ended_ = whole_ = true; // an answer with a length is no stream
  tell_answered(
    port_,
    {"GET", path_, {}, {}, {status_, headers_, {}}, /* whole = */ false});
  take_chunks();
}

std::string sse_client::header(const std::string& name) const {
  auto found = headers_.find(name);
  return found == headers_.end() ? std::string{} : found->second;
}

std::optional<sse_event> sse_client::next() {
  while (events_.empty() && !ended_)
    fill(any);
  if (events_.empty())
    return std::nullopt;
  auto result = std::move(events_.front());
  events_.pop_front();
  return result;
}

std::vector<sse_event>
sse_client::until(const std::function<bool(const sse_event&)>& last) {
  std::vector<sse_event> result;
  while (auto event = next()) {
    result.push_back(std::move(*event));
    if (last(result.back()))
      break;
  }
  return result;
}

std::vector<sse_event> sse_client::rest() {
  return until([](const sse_event&) { return false; });
}

std::vector<sse_event> sse_client::read_bytes(std::size_t count) {
  while (count > 0 && !ended_) {
    auto before = raw_.size();
    if (!receive(socket_, raw_, count)) {
      ended_ = true;
      break;
    }
    count -= raw_.size() - before;
    take_chunks();
  }
  std::vector<sse_event> result{events_.begin(), events_.end()};
  events_.clear();
  return result;
}

void sse_client::cut() {
  socket_.reset();
  ended_ = true;
}

bool sse_client::fill(std::size_t at_most) {
  if (!receive(socket_, raw_, at_most)) {
    ended_ = true;
    return false;
  }
  take_chunks();
  return true;
}

// Moves whole and begun chunks from `raw_` to `text_`: what has come is used,
// also where a chunk is cut short.
void sse_client::take_chunks() {
  while (chunked_ && !ended_) {
    auto line = raw_.find("\r\n");
    if (line == std::string::npos)
      break;
    std::size_t size = 0;
    auto [end, error] =
      std::from_chars(raw_.data(), raw_.data() + line, size, 16);
    if (error != std::errc{})
      throw std::runtime_error("a malformed chunk");
    if (raw_.size() < line + 2 + size + 2)
      break;
    if (size == 0) {
      ended_ = whole_ = true;
      break;
    }
    text_.append(raw_, line + 2, size);
    raw_.erase(0, line + 2 + size + 2);
  }
  take_lines();
}

void sse_client::take_lines() {
  std::size_t begin = 0;
  for (;;) {
    auto end = text_.find('\n', begin);
    if (end == std::string::npos)
      break;
    take_line(text_.substr(begin, end - begin));
    begin = end + 1;
  }
  text_.erase(0, begin);
}

void sse_client::take_line(const std::string& line) {
  if (line.empty()) {
    if (!data_.empty()) {
      event_.data = nlohmann::json::parse(data_);
      tell_streamed(port_, path_, event_);
      events_.push_back(event_);
    }
    event_ = {};
    data_.clear();
    return;
  }
  auto colon = line.find(':');
  auto field = line.substr(0, colon);
  auto value = line.substr(std::min(line.size(), colon + 1));
  if (value.starts_with(' '))
    value.erase(0, 1);
  if (field.empty())
    ++comments_;
  else if (field == "id")
    event_.id = value;
  else if (field == "event")
    event_.type = value;
  else if (field == "data")
    data_ += value;
  else if (field != "retry")
    throw std::runtime_error("an unknown field in the stream: " + line);
}

} // namespace greenroom::test
