// Who connects to a node and is none of ours.
#include "runtime/peer/certificates.hpp"
#include "runtime/peer/hello.hpp"
#include "tests/runtime/peer/mesh_node.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include <array>
#include <ctime>

namespace greenroom::test {

namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

double processor_time() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec)
         + static_cast<double>(now.tv_nsec) / 1e9;
}

/// A connection that speaks no TLS.
class plain_guest {
public:
  explicit plain_guest(const mesh_node& to) : socket_(io_) {
    socket_.connect({asio::ip::address_v4::loopback(), to.where().port});
  }
  void say(const std::string& text) {
    error_code ignored;
    asio::write(socket_, asio::buffer(text), ignored);
  }
  /// Waits until the node closes the connection.
  void await_end() {
    std::array<char, 4096> buffer;
    error_code error;
    while (!error)
      socket_.read_some(asio::buffer(buffer), error);
  }

private:
  asio::io_context io_;
  tcp::socket socket_;
};

/// A connection by TLS; says `text` after its length, and waits for the end.
void visit(const mesh_node& to, asio::ssl::context& context,
           const std::string& text) {
  asio::io_context io;
  asio::ssl::stream<tcp::socket> guest{io, context};
  guest.next_layer().connect(
    {asio::ip::address_v4::loopback(), to.where().port});
  error_code error;
  guest.handshake(asio::ssl::stream_base::client, error);
  std::string bytes{static_cast<char>(text.size() >> 8),
                    static_cast<char>(text.size() & 0xff)};
  bytes += text;
  if (!error)
    asio::write(guest, asio::buffer(bytes), error);
  std::array<char, 4096> buffer;
  while (!error)
    guest.read_some(asio::buffer(buffer), error);
}

std::string hello_of(const std::string& node) {
  peer::hello result;
  result.cluster = "test";
  result.node = node;
  result.incarnation = "1";
  result.actor_system = node;
  return encode(result);
}

/// What a certificate of another authority, or none, is refused with.
void await_strangers(mesh_node& node, std::uint64_t count) {
  await("strangers to be counted",
        [&] { return node.mesh().counters().strangers == count; });
}

} // namespace

TEST_CASE("who speaks no TLS, or says nothing, is dropped in time") {
  cluster_certificates certificates{{"a", "b"}};
  mesh_node a{certificates, "a",
              [](peer::mesh_options& o) { o.handshake = 60s; }};
  plain_guest http{a};
  http.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  http.await_end();
  await_strangers(a, 1);
  CHECK(a.mesh().counters().late == 0);
  mesh_node b{certificates, "b",
              [](peer::mesh_options& o) { o.handshake = 300ms; }};
  plain_guest silent{b};
  auto before = processor_time();
  silent.await_end();
  // Waiting costs nothing.
  CHECK(processor_time() - before < 0.15);
  plain_guest half{b};
  half.say(std::string{"\x16\x03\x01\x02\x00\x01", 6});
  half.await_end();
  await_strangers(b, 2);
  CHECK(b.mesh().counters().late == 2);
  CHECK(b.mesh().counters().greeting == 0);
}

TEST_CASE("who has no certificate, another authority's, or speaks TLS 1.2 is "
          "dropped") {
  cluster_certificates certificates{{"a", "b"}};
  cluster_certificates others{{"a"}};
  mesh_node b{certificates, "b"};
  asio::ssl::context none{asio::ssl::context::tls_client};
  visit(b, none, hello_of("a"));
  auto foreign = peer::make_context(others.of("a"), "a");
  foreign->set_verify_mode(asio::ssl::verify_none);
  visit(b, *foreign, hello_of("a"));
  auto old = peer::make_context(certificates.of("a"), "a");
  ::SSL_CTX_set_min_proto_version(old->native_handle(), TLS1_2_VERSION);
  ::SSL_CTX_set_max_proto_version(old->native_handle(), TLS1_2_VERSION);
  visit(b, *old, hello_of("a"));
  await_strangers(b, 3);
  CHECK(b.links_made() == 0);
}

TEST_CASE(
  "who calls itself another node than its certificate says is dropped") {
  cluster_certificates certificates{{"a", "aa", "b"}};
  mesh_node b{certificates, "b"};
  auto context = peer::make_context(certificates.of("aa"), "aa");
  visit(b, *context, hello_of("a"));
  visit(b, *context, hello_of("AA"));
  visit(b, *context, hello_of("*"));
  visit(b, *context, "no hello");
  await_strangers(b, 4);
  CHECK(b.links_made() == 0);
  // And a node that is dialed under a name that is not its own.
  mesh_node a{certificates, "a"};
  auto where = b.where();
  where.node = "bb";
  a.mesh().set_nodes({where});
  await("a to complain", [&] { return !a.troubles().empty(); });
  CHECK(a.troubles().front()
        == "node bb cannot be reached: its certificate is for b and not for "
           "bb");
}

TEST_CASE("a crowd of strangers keeps no node out, and takes no more room than "
          "there is") {
  cluster_certificates certificates{{"a", "b"}};
  mesh_node b{certificates, "b",
              [](peer::mesh_options& o) { o.max_handshakes = 8; }};
  std::vector<std::unique_ptr<plain_guest>> crowd;
  for (int i = 0; i < 40; ++i)
    crowd.push_back(std::make_unique<plain_guest>(b));
  await("the crowd to be thinned",
        [&] { return b.mesh().counters().crowded_out >= 32; });
  CHECK(b.mesh().counters().greeting <= 8);
  mesh_node a{certificates, "a"};
  introduce({&a, &b});
  await_link(a, b);
}

TEST_CASE("a certificate that others would refuse is refused at the start") {
  cluster_certificates certificates{{"a", "b"}};
  cluster_certificates others{{"a"}};
  auto files = certificates.of("a");
  CHECK_THROWS_WITH(
    peer::make_context(files, "b"),
    Catch::Contains("is for a and not for b, this node's name"));
  auto mixed = files;
  mixed.ca = others.of("a").ca;
  CHECK_THROWS_WITH(peer::make_context(mixed, "a"),
                    Catch::Contains("would be refused by other nodes"));
  mixed = files;
  mixed.key = certificates.of("b").key;
  CHECK_THROWS_WITH(peer::make_context(mixed, "a"),
                    Catch::Contains("cluster.tls.key"));
  mixed = files;
  mixed.ca += ".not-there";
  CHECK_THROWS_WITH(peer::make_context(mixed, "a"),
                    Catch::Contains("cluster.tls.ca"));
}

} // namespace greenroom::test
