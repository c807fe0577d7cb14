// The certificates by which nodes know each other.
//
// Each node has one that the nodes' own authority signed, with the node's name
// as a DNS name in it (subjectAltName), letter by letter. It is shown to those
// who connect and to those who are connected to: TLS 1.3, both sides, nothing
// older and no name of another form. Made by config/cluster/certificates.sh.
#pragma once

#include "runtime/peer/mesh.hpp"

#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <string>

namespace greenroom::peer {

namespace asio = boost::asio;

/// For both sides of a connection between nodes. Throws std::runtime_error with
/// a sentence where a file cannot be read, or where other nodes would not
/// believe this certificate to be that of `node`.
std::shared_ptr<asio::ssl::context> make_context(const certificate_files& files,
                                                 const std::string& node);

/// Whether the other side's certificate is that of `node`.
bool is_named(SSL* connection, const std::string& node);

/// The names in the other side's certificate, for people: "b" or "b, c".
std::string names_shown_by(SSL* connection);

} // namespace greenroom::peer
