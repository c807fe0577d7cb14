#include "http/edge/pass_connection.hpp"

#include "http/wire/message_stream.hpp"
#include "http/wire/tunnel.hpp"

#include <boost/asio/buffer.hpp>

#include <array>
#include <utility>

namespace greenroom::http {

namespace {

constexpr std::string_view head_end = "\r\n\r\n";
constexpr std::string_view go_on = "HTTP/1.1 100 ";
constexpr std::size_t longest_head = 64 * 1024;

/// The head of what `there` answers first, and whatever has come after it. Of
/// an endless head, its beginning.
asio::awaitable<std::string> first_head(wire::byte_stream& there) {
  std::string result;
  std::array<char, 4096> room{};
  while (result.find(head_end) == std::string::npos
         && result.size() < longest_head) {
    auto size =
      co_await there.read(asio::buffer(room), wire::byte_stream::never);
    if (size == 0)
      throw wire::lost{};
    result.append(room.data(), size);
  }
  co_return result;
}

bool says_moved(std::string_view answer) {
  auto line = "\r\n" + std::string{moved_header} + ": ";
  return answer.starts_with("HTTP/1.1 503 ")
         && answer.substr(0, answer.find(head_end)).find(line)
              != std::string_view::npos;
}

} // namespace

std::optional<passage> passage_of(const wire::message_head& head) {
  if (head.headers.count(via_header) == 0)
    return std::nullopt;
  return read_passage(head.headers.get(via_header));
}

asio::awaitable<peer_answer> ask_peer(const wire::server_connection& client,
                                      wire::byte_stream& there,
                                      const passage& by,
                                      wire::byte_stream::timeout each) {
  auto head = client.head();
  const auto asks_leave =
    client.has_body() && !head.old && !head.expects_continue();
  head.headers.add(via_header, to_text(by));
  if (asks_leave)
    head.headers.add("Expect", "100-continue");
  auto text = head.method + ' ' + head.target
              + (head.old ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n")
              + wire::headers_text(head.headers) + "\r\n";
  wire::byte_stream::pieces pieces{asio::buffer(text)};
  co_await there.write(pieces, each);
  peer_answer result;
  result.bytes = co_await first_head(there);
  result.moved = says_moved(result.bytes);
  if (asks_leave && result.bytes.starts_with(go_on))
    result.bytes.erase(0, result.bytes.find(head_end) + head_end.size());
  co_return result;
}

asio::awaitable<void> pass_connection(wire::server_connection& client,
                                      wire::byte_stream& there,
                                      std::string answered,
                                      wire::byte_stream::timeout each) {
  wire::tunnel_end near_end{client.stream(), client.take_rest()};
  wire::tunnel_end far_end{there, std::move(answered)};
  co_await wire::run_tunnel(std::move(near_end), std::move(far_end), each);
}

asio::awaitable<void> refuse_misled(wire::server_connection& client,
                                    const whereabouts& now,
                                    wire::byte_stream::timeout each) {
  wire::message_head head;
  head.status = 503;
  head.headers.add("Content-Type", "text/plain; charset=utf-8");
  head.headers.add("Cache-Control", "no-store");
  head.headers.add("Retry-After", "1");
  head.headers.add(moved_header, moved_value);
  auto text = "greenroom: " + moved_sentence(now) + '\n';
  client.close_after();
  co_await client.reply(head, text, each);
}

} // namespace greenroom::http
