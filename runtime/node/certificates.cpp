#include "runtime/node/certificates.hpp"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <memory>
#include <stdexcept>

namespace greenroom {

namespace {

constexpr int soon = 21; // days

template <auto Free>
struct freed {
  template <class T>
  void operator()(T* what) const noexcept {
    Free(what);
  }
};

using bio_ptr = std::unique_ptr<BIO, freed<BIO_free_all>>;
using certificate_ptr = std::unique_ptr<X509, freed<X509_free>>;
using key_ptr = std::unique_ptr<EVP_PKEY, freed<EVP_PKEY_free>>;
using store_ptr = std::unique_ptr<X509_STORE, freed<X509_STORE_free>>;
using store_context_ptr =
  std::unique_ptr<X509_STORE_CTX, freed<X509_STORE_CTX_free>>;

certificate_ptr read_certificate(const std::string& file) {
  bio_ptr in{BIO_new_file(file.c_str(), "r")};
  if (!in)
    throw std::runtime_error(file + " cannot be read");
  certificate_ptr result{
    PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)};
  if (!result)
    throw std::runtime_error(file + " has no certificate in PEM");
  return result;
}

key_ptr read_key(const std::string& file) {
  bio_ptr in{BIO_new_file(file.c_str(), "r")};
  if (!in)
    throw std::runtime_error(file + " cannot be read");
  // Without asking for a pass phrase: a node has nobody to ask.
  auto none = [](char*, int, int, void*) { return 0; };
  key_ptr result{PEM_read_bio_PrivateKey(in.get(), nullptr, +none, nullptr)};
  if (!result)
    throw std::runtime_error(file + " has no key in PEM without pass phrase");
  return result;
}

/// Days until it ends; negative: it has ended. Throws where it has not begun.
int days_left(const X509* of, const std::string& file) {
  int days = 0;
  int seconds = 0;
  if (X509_cmp_current_time(X509_get0_notBefore(of)) > 0)
    throw std::runtime_error(file + " does not hold yet");
  if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(of)) != 1)
    throw std::runtime_error(file + " does not say until when it holds");
  return seconds < 0 && days == 0 ? -1 : days;
}

void check_signed(X509* certificate, const tls_files& files) {
  store_ptr trusted{X509_STORE_new()};
  store_context_ptr context{X509_STORE_CTX_new()};
  if (X509_STORE_load_file(trusted.get(), files.ca.c_str()) != 1)
    throw std::runtime_error(files.ca + " has no authority in PEM");
  X509_STORE_CTX_init(context.get(), trusted.get(), certificate, nullptr);
  if (X509_verify_cert(context.get()) != 1)
    throw std::runtime_error(
      files.cert + " does not pass under " + files.ca + ": "
      + X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
}

host_check judged(const char* key, const X509* certificate,
                  const std::string& file) {
  auto days = days_left(certificate, file);
  if (days < 0)
    throw std::runtime_error(file + " has expired");
  auto text = file + " holds for " + std::to_string(days) + " days";
  if (days < soon)
    return {key, check_state::warning, text,
            "make a new one, and start the node again"};
  return {key, check_state::fine, text, {}};
}

host_check check_pair(const char* key, const tls_files& files) {
  auto certificate = read_certificate(files.cert);
  auto secret = read_key(files.key);
  if (X509_check_private_key(certificate.get(), secret.get()) != 1)
    throw std::runtime_error(files.key + " is not the key of " + files.cert);
  auto result = judged(key, certificate.get(), files.cert);
  if (!files.ca.empty())
    check_signed(certificate.get(), files);
  return result;
}

template <class F>
void attempt(std::vector<host_check>& to, const char* key, const char* help,
             F&& check) {
  try {
    to.push_back(check());
  } catch (const std::exception& e) {
    to.push_back({key, check_state::fault, e.what(), help});
  }
}

} // namespace

void examine_certificates(std::vector<host_check>& to, const config& settings) {
  if (settings.cluster.tls)
    attempt(to, "cluster.tls",
            "config/cluster/certificates.sh makes certificates of nodes",
            [&] { return check_pair("cluster.tls", *settings.cluster.tls); });
  if (const auto& file = settings.webhooks.ca_file; !file.empty())
    attempt(to, "webhooks.ca_file",
            "name a file of authorities in PEM, or none for the system's", [&] {
              return judged("webhooks.ca_file", read_certificate(file).get(),
                            file);
            });
}

} // namespace greenroom
