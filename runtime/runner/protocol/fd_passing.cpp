#include "runtime/runner/protocol/fd_passing.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace greenroom::runner {

namespace {

constexpr std::size_t fds_size = max_passed_fds * sizeof(int);

} // namespace

ssize_t send_with_fds(int socket, std::span<const char> bytes,
                      std::span<const int> fds, int flags) {
  iovec data{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(fds_size)> control{};
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    auto* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(head), fds.data(), fds.size_bytes());
  }
  return ::sendmsg(socket, &message, flags | MSG_NOSIGNAL);
}

fd_datagram receive_with_fds(int socket, std::span<char> buffer, int flags) {
  iovec data{buffer.data(), buffer.size()};
  alignas(cmsghdr)
    std::array<char, CMSG_SPACE(fds_size) + CMSG_SPACE(sizeof(ucred))>
      control;
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  fd_datagram result;
  result.size = ::recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  if (result.size < 0)
    return result;
  result.cut = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  for (auto* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET)
      continue;
    if (head->cmsg_type == SCM_CREDENTIALS) {
      ucred who;
      std::memcpy(&who, CMSG_DATA(head), sizeof who);
      result.sender = who.pid;
    } else if (head->cmsg_type == SCM_RIGHTS) {
      std::array<int, max_passed_fds> numbers;
      auto bytes = head->cmsg_len - CMSG_LEN(0);
      std::memcpy(numbers.data(), CMSG_DATA(head), bytes);
      for (auto number : std::span{numbers}.first(bytes / sizeof(int)))
        result.fds.emplace_back(number);
    }
  }
  return result;
}

} // namespace greenroom::runner
