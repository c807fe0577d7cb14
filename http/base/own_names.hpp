// By which names clients may speak to this server, and from which pages.
//
// A page of a stranger's can have a browser ask any address, also by a name of
// its own that leads there (DNS rebinding). So a request must name the server
// by one of its names, and one that comes from a page must come from a page of
// the server's. Pages of previews, which are users' programs, are none.
//
// Its names: loopback addresses and localhost, the addresses and the name of
// this machine, the host that it listens at, those of `http.public_url` and
// `git.public_url`, and `http.hosts`.
//
// Everything here takes what strangers send and never throws on it.
#pragma once

#include "http/base/options.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace greenroom::http {

/// What of a request says whom it is meant for, and from where it comes.
struct named_origin {
  std::string_view host;   // of the field Host; empty: none was sent
  std::string_view origin; // of the field Origin; empty: none was sent
  bool two = false;        // one of them was sent twice
  bool needs_host = true;  // as from HTTP/1.1 on
};

struct name_fault {
  int status = 400; // or 403
  std::string message;
};

/// Why such a request is not served; nullopt: it may be.
std::optional<name_fault> fault_of_names(const options& opts,
                                         const named_origin& sent);

/// A host without its port, in lower case; nullopt where it is none.
std::optional<std::string> host_of_authority(std::string_view authority);

} // namespace greenroom::http
