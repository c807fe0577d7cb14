#include "runtime/peer/certificates.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace greenroom::peer {

namespace {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* what) const noexcept {
    Free(what);
  }
};

using x509_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using check_ptr =
  std::unique_ptr<X509_STORE_CTX, freed_by<X509_STORE_CTX_free>>;
using names_ptr = std::unique_ptr<GENERAL_NAMES, freed_by<GENERAL_NAMES_free>>;

constexpr const char* how =
  "; config/cluster/certificates.sh makes certificates";

std::string joined(const std::vector<std::string>& names) {
  std::string result;
  for (auto& name : names)
    result += (result.empty() ? "" : ", ") + name;
  return result.empty() ? "no name" : result;
}

std::vector<std::string> names_in(const X509* certificate) {
  std::vector<std::string> result;
  if (certificate == nullptr)
    return result;
  names_ptr all{static_cast<GENERAL_NAMES*>(
    X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    auto* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type != GEN_DNS)
      continue;
    auto* text = ASN1_STRING_get0_data(name->d.dNSName);
    auto size = ASN1_STRING_length(name->d.dNSName);
    result.emplace_back(reinterpret_cast<const char*>(text),
                        static_cast<std::size_t>(size));
  }
  return result;
}

void read_files(asio::ssl::context& into, const certificate_files& files) {
  auto read = [](const char* key, const std::string& file, auto load) {
    boost::system::error_code error;
    load(error);
    ERR_clear_error();
    if (error)
      throw std::runtime_error(std::string{key} + " " + file
                               + " cannot be used: " + error.message() + how);
  };
  read("cluster.tls.ca", files.ca,
       [&](auto& error) { into.load_verify_file(files.ca, error); });
  read("cluster.tls.cert", files.cert, [&](auto& error) {
    into.use_certificate_chain_file(files.cert, error);
  });
  read("cluster.tls.key", files.key, [&](auto& error) {
    into.use_private_key_file(files.key, asio::ssl::context::pem, error);
  });
}

// What the others will find, found at the start.
void check_own(asio::ssl::context& context, const certificate_files& files,
               const std::string& node) {
  auto* native = context.native_handle();
  auto* own = SSL_CTX_get0_certificate(native);
  auto names = names_in(own);
  if (std::ranges::find(names, node) == names.end())
    throw std::runtime_error(
      "cluster.tls.cert " + files.cert + " is for " + joined(names)
      + " and not for " + node
      + ", this node's name: set node.name, or use this node's certificate");
  for (int purpose : {X509_PURPOSE_SSL_SERVER, X509_PURPOSE_SSL_CLIENT}) {
    check_ptr check{X509_STORE_CTX_new()};
    STACK_OF(X509)* chain = nullptr;
    SSL_CTX_get0_chain_certs(native, &chain);
    X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(native), own,
                        chain);
    X509_STORE_CTX_set_purpose(check.get(), purpose);
    if (X509_verify_cert(check.get()) == 1)
      continue;
    auto why =
      X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get()));
    ERR_clear_error();
    throw std::runtime_error("cluster.tls.cert " + files.cert
                             + " would be refused by other nodes with "
                             + files.ca + ": " + why + how);
  }
}

} // namespace

std::shared_ptr<asio::ssl::context> make_context(const certificate_files& files,
                                                 const std::string& node) {
  auto result = std::make_shared<asio::ssl::context>(asio::ssl::context::tls);
  auto* native = result->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION);
  // Nobody comes back to an old connection.
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(native, 0);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  result->set_verify_mode(asio::ssl::verify_peer
                          | asio::ssl::verify_fail_if_no_peer_cert);
  read_files(*result, files);
  check_own(*result, files, node);
  return result;
}

bool is_named(SSL* connection, const std::string& node) {
  x509_ptr shown{SSL_get1_peer_certificate(connection)};
  auto names = names_in(shown.get());
  return std::ranges::find(names, node) != names.end();
}

std::string names_shown_by(SSL* connection) {
  x509_ptr shown{SSL_get1_peer_certificate(connection)};
  return joined(names_in(shown.get()));
}

} // namespace greenroom::peer
