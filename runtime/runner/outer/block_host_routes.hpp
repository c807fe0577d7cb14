// What a sandbox with a network of its own must not reach through it: the host
// itself. slirp4netns makes connections as a program of the host, so what
// listens on all of the host's addresses would be as near as the loopback that
// it refuses. Routes inside, which only capabilities could change, lead
// nowhere instead:
//
//   the host's own IPv4 addresses, as they are now
//   169.254.0.0/16, where clouds tell machines their secrets
//   224.0.0.0/4, groups that services of the host may have joined
//   10.0.2.3 but for port 53: it is the host's name server, at any port
//
// There is no IPv6 to the outside.
#pragma once

namespace greenroom::runner {

/// Makes these routes in the network namespace that `network` is open on and
/// that belongs to the user namespace `users`, once its loopback is up; those
/// that are there stay. To be called before anybody can send. False where this
/// kernel cannot tell ports apart, so that all of the name server's are
/// reached. Throws std::runtime_error, whose text is a sentence for the user.
bool block_host_routes(int network, int users);

} // namespace greenroom::runner
