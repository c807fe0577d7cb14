#include "http/client/exec_output.hpp"

#include <openssl/evp.h>

#include <stdexcept>

namespace greenroom::http::client {

namespace {

std::string decode_base64(const std::string& text) {
  std::string result(text.size() / 4 * 3, '\0');
  auto size =
    ::EVP_DecodeBlock(reinterpret_cast<unsigned char*>(result.data()),
                      reinterpret_cast<const unsigned char*>(text.data()),
                      static_cast<int>(text.size()));
  if (size < 0)
    throw std::invalid_argument("the server's event is no valid base64");
  auto padding = text.ends_with("==") ? 2u : text.ends_with('=') ? 1u : 0u;
  result.resize(static_cast<std::size_t>(size) - padding);
  return result;
}

} // namespace

std::string output_bytes(const nlohmann::json& event) {
  auto data = event.value("data", "");
  if (event.value("encoding", "utf-8") != "base64")
    return data;
  return decode_base64(data);
}

exec_output::part exec_output::take(const nlohmann::json& event) {
  part result;
  result.stream = event.value("stream", "stdout");
  auto offset = event.value("offset", std::uint64_t{0});
  auto& next = next_[result.stream];
  if (offset > next) {
    result.missing = offset - next;
    return result;
  }
  auto bytes = output_bytes(event);
  auto known = next - offset;
  if (known < bytes.size()) {
    result.bytes = bytes.substr(known);
    next += result.bytes.size();
  }
  return result;
}

} // namespace greenroom::http::client
