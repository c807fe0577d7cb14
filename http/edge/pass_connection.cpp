#include "http/edge/pass_connection.hpp"

#include "http/edge/loop.hpp"
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

/// Answers a request that was passed on by mistake.
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

} // namespace

/// What the other node has said so far.
struct peer_relay::first_answer {
  bool moved = false; // it is not the owner, and has done nothing
  std::string bytes;
};

connect_node connection_to(std::shared_ptr<loop> home, const peers& all,
                           std::string service) {
  return
    [home = std::move(home), &all, service = std::move(service)](
      std::string node) -> asio::awaitable<std::unique_ptr<wire::byte_stream>> {
      auto socket = co_await open_peer(home, all, std::move(node), service);
      co_return wire::plain_stream(home->context(), std::move(socket));
    };
}

peer_relay::peer_relay(std::string own_name, wire::byte_stream::timeout each,
                       bool of_peer, std::string client)
  : own_name_(std::move(own_name)), each_(each), marked_(of_peer),
    client_(std::move(client)) {}

void peer_relay::begin(const wire::message_head& head) {
  by_.reset();
  if (!std::exchange(marked_, false) || head.headers.count(via_header) == 0)
    return;
  by_ = read_passage(head.headers.get(via_header));
  // A node of an older version says nothing of it.
  if (head.headers.count(client_header) != 0)
    client_ = read_passed_client(head.headers.get(client_header)).address;
}

/// Sends the head of the request at hand, and waits until it is answered, or
/// the other node asks for a body: nothing of that is taken from the client
/// before.
asio::awaitable<peer_relay::first_answer>
peer_relay::ask(const wire::server_connection& client, std::uint64_t epoch) {
  auto head = client.head();
  const auto asks_leave =
    client.has_body() && !head.old && !head.expects_continue();
  // HTTP/1.0 has no such way to ask, and an owner may wait for all of the body
  // before it answers.
  const auto sends_unasked = client.has_body() && head.old;
  head.headers.remove(via_header);
  head.headers.add(via_header, passage_text({own_name_, epoch}));
  head.headers.remove(client_header);
  head.headers.add(client_header, client_text(passed_client{client_, {}}));
  if (asks_leave)
    head.headers.add("Expect", "100-continue");
  auto text = head.method + ' ' + head.target
              + (head.old ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  wire::append_headers(text, head.headers);
  text += "\r\n";
  wire::byte_stream::pieces pieces{asio::buffer(text)};
  co_await there_->write(pieces, each_);
  first_answer result;
  if (sends_unasked)
    co_return result;
  result.bytes = co_await first_head(*there_);
  result.moved = says_moved(result.bytes);
  if (asks_leave && result.bytes.starts_with(go_on))
    result.bytes.erase(0, result.bytes.find(head_end) + head_end.size());
  co_return result;
}

asio::awaitable<bool> peer_relay::pass_on(wire::server_connection& client,
                                          look_up_owner look_up,
                                          connect_node connect) {
  for (auto again = false;; again = true) {
    auto owner = co_await look_up();
    if (by_ && is_misled(*by_, owner)) {
      co_await refuse_misled(client, owner, each_);
      co_return true;
    }
    if (owner.elsewhere.empty())
      co_return false;
    there_ = co_await connect(owner.elsewhere);
    auto answer = co_await ask(client, owner.epoch);
    if (answer.moved && !again)
      continue;
    wire::tunnel_end near_end{client.stream(), client.take_rest()};
    wire::tunnel_end far_end{*there_, std::move(answer.bytes)};
    co_await wire::run_tunnel(std::move(near_end), std::move(far_end), each_);
    there_.reset();
    co_return true;
  }
}

void peer_relay::check_deadlines(wire::byte_stream::clock::time_point now,
                                 wire::server_connection& client) {
  if (!there_)
    return;
  there_->check_deadlines(now);
  // One that sends no more may still read, as the owner sees, too. This node
  // closes a connection where it stops, and waits for nobody's answer then.
  if (!client.stream().is_open() || client.stream().broken())
    there_->close();
}

} // namespace greenroom::http
