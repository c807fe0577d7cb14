#include "http/git/request_body.hpp"

#include "runtime/base/sizes.hpp"

namespace greenroom::http::git_http {

namespace {

constexpr std::size_t room = 64 * 1024;

[[noreturn]] void refuse_size(std::uint64_t limit) {
  throw bad_message{413, "the body may have " + format_size(limit)};
}

} // namespace

request_body::request_body(wire::server_connection& from, std::uint64_t limit,
                           wire::server_connection::timeout each)
  : from_(from), limit_(limit), each_(each) {
  auto encoding = from.head().headers.get("Content-Encoding");
  if (encoding == "gzip" || encoding == "x-gzip") {
    gunzip_ = std::make_unique<gunzip>();
    unpacked_.resize(room);
  } else if (!encoding.empty() && encoding != "identity") {
    throw bad_message{415, "the body must be plain or gzip"};
  }
  if (from.head().content_length.value_or(0) > limit)
    refuse_size(limit);
}

void request_body::count(std::size_t size) {
  given_ += size;
  if (given_ > limit_ || from_.received() > limit_)
    refuse_size(limit_);
}

asio::awaitable<std::string_view> request_body::next() {
  for (;;) {
    if (auto piece = unpack(); !piece.empty())
      co_return piece;
    auto piece = co_await from_.read_body(each_);
    count(gunzip_ ? 0 : piece.size());
    if (!gunzip_)
      co_return piece;
    if (piece.empty() && !gunzip_->ended())
      throw bad_message{400, "the body ends in the middle of what gzip makes"};
    if (piece.empty())
      co_return piece;
    packed_ = piece;
  }
}

/// What there is to have of the piece at hand.
std::string_view request_body::unpack() {
  if (!gunzip_)
    return {};
  try {
    auto size = gunzip_->unpack(packed_, unpacked_);
    count(size);
    return {unpacked_.data(), size};
  } catch (const bad_gzip& e) {
    throw bad_message{400, e.what()};
  }
}

} // namespace greenroom::http::git_http
