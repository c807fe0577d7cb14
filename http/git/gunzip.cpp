#include "http/git/gunzip.hpp"

#include <new>

namespace greenroom::http::git_http {

namespace {

constexpr int gzip_only = 16 + MAX_WBITS;

} // namespace

gunzip::gunzip() {
  if (::inflateInit2(&stream_, gzip_only) != Z_OK)
    throw std::bad_alloc{};
}

gunzip::~gunzip() {
  ::inflateEnd(&stream_);
}

std::size_t gunzip::unpack(std::string_view& packed, std::span<char> room) {
  if (ended_ && !packed.empty())
    throw bad_gzip{}; // something follows the end
  if (ended_)
    return 0;
  // zlib does not write to its input, it only is not const.
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream_.avail_in = static_cast<uInt>(packed.size());
  stream_.next_out = reinterpret_cast<Bytef*>(room.data());
  stream_.avail_out = static_cast<uInt>(room.size());
  auto result = ::inflate(&stream_, Z_NO_FLUSH);
  packed.remove_prefix(packed.size() - stream_.avail_in);
  if (result == Z_STREAM_END)
    ended_ = true;
  else if (result != Z_OK && result != Z_BUF_ERROR)
    throw bad_gzip{};
  return room.size() - stream_.avail_out;
}

} // namespace greenroom::http::git_http
