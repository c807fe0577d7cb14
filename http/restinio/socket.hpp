// A TCP socket that does four things which the HTTP library does not.
//
// It hands connections that begin with a request for git to the listener that
// the front end names; RESTinio sees their end. Once a connection is RESTinio's
// it stays so.
//
// It answers `Expect: 100-continue`, for which clients wait before they send a
// body; always, for bodies are bounded anyway. An answer that is being written
// to a pipelined request before is not disturbed. Known limit: a client that
// sends such a request while it reads an event stream gets the 100 inside that.
//
// It refuses requests by their heads, as request_head says: bodies of clients
// without a key are not read, and what RESTinio would close without a word gets
// an answer, once those to the requests before have been written. What follows
// is read to nowhere for a while, so that the answer arrives. In a crowd of
// clients without a key it closes them a little later.
//
// It ends connections that send a request without end: RESTinio keeps what
// it has read of one, many times over where it comes in small chunks. What may
// be read before an answer begins is bounded, as `read_budget` says; what is
// over it gets 503.
//
// It ends connections that send no request soon, unless their clients have
// shown a key before: RESTinio has one time for all. Those may also leave more
// unread. Where an address has as many connections as it may, one that shows a
// key soon takes the place of one without; where nearly all are open, one that
// sends a request soon that of one that sends none. Only connections of the
// same thread give way. Where none does, who shows a key gets one of the last
// places, for one request that does not go on. Some places beyond these are
// left for those who are told that there is none, so nobody waits unheard.
//
// And it lets clients that send nothing more have their answers, unless they
// are streams: nobody may listen to those any more. Requests that wait for an
// event are told of it, and answer then.
#pragma once

#include "http/base/asio.hpp"
#include "http/restinio/connection_progress.hpp"
#include "http/restinio/front_desk.hpp"
#include "http/restinio/request_scan.hpp"

#include <boost/asio/execution_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace greenroom::http {

class restinio_socket final : public asio::ip::tcp::socket,
                              private connection_progress::listener,
                              private newcomers::connection {
public:
  using base = asio::ip::tcp::socket;
  using base::base;

  // Before anything was read: RESTinio accepts the next connection into the
  // socket that it has moved. Or where it becomes a WebSocket, which takes the
  // place along.
  restinio_socket(restinio_socket&& other) noexcept
    : base(std::move(other)), place_(std::move(other.place_)) {
    other.leave();
  }
  restinio_socket& operator=(restinio_socket&&) = delete;

  ~restinio_socket() {
    leave();
  }

  template <class Buffer, class Handler>
  void async_read_some(const Buffer& into, Handler&& handler) {
    if (!progress_ && !begin()) {
      asio::post(get_executor(),
                 [handler = std::forward<Handler>(handler)]() mutable {
                   handler(error_code{asio::error::eof}, std::size_t{0});
                 });
      return;
    }
    read_on(into, 0, std::forward<Handler>(handler));
  }

  template <class Buffers, class Handler>
  void async_write_some(const Buffers& from, Handler&& handler) {
    writing_ = true;
    base::async_write_some(
      from, [this, handler = std::forward<Handler>(handler)](
              const error_code& error, std::size_t size) mutable {
        writing_ = false;
        auto progress = progress_; // what is written last may end this
        {
          connection_progress::scope of{progress};
          handler(error, size);
        }
        if (progress->is_heard_by(this))
          settle();
      });
  }

  /// The connection's place among those of its address, for whoever goes on
  /// with it: it is given back with what is returned.
  std::shared_ptr<void> leave_place() {
    return std::move(place_);
  }

  // What waits for the end of the connection must not outlive it.
  void close() {
    end_input(asio::error::operation_aborted);
    base::close();
  }
  void close(error_code& error) {
    end_input(asio::error::operation_aborted);
    base::close(error);
  }

private:
  enum class beginning { unknown, git, other };

  // -- reading ----------------------------------------------------------------

  /// The first read. False: there is no place, which it is told.
  bool begin() {
    desk_ = &asio::use_service<front_desk>(
      asio::query(get_executor(), asio::execution::context));
    progress_ = std::make_shared<connection_progress>();
    progress_->listen(this);
    progress_->of_peer =
      desk_->is_of_peer && desk_->is_of_peer(native_handle());
    if (take_place())
      await_request();
    else if (!progress_->of_peer)
      try_out();
    else
      turn_away();
    return !refused_;
  }

  /// `before` bytes are in the buffer already.
  template <class Handler>
  void read_on(asio::mutable_buffer into, std::size_t before,
               Handler&& handler) {
    base::async_read_some(
      into + before,
      [this, into, before, handler = std::forward<Handler>(handler)](
        const error_code& error, std::size_t size) mutable {
        if (!error)
          have_read(into, before + size, std::move(handler));
        else if (error == asio::error::eof && !settled() && !is_useless())
          await_answers(std::move(handler));
        else
          pass(handler, error, 0);
      });
  }

  template <class Handler>
  void have_read(asio::mutable_buffer into, std::size_t size,
                 Handler&& handler) {
    // What came before it was cut nobody could be answered.
    if (cut_) {
      pass(handler, asio::error::eof, 0);
      return;
    }
    std::string_view read{static_cast<const char*>(into.data()), size};
    if (beginning_ == beginning::unknown) {
      beginning_ = beginning_of(read);
      if (beginning_ == beginning::unknown) {
        read_on(into, size, std::move(handler));
        return;
      }
    }
    if (beginning_ == beginning::git && on_trial_ && !place_)
      turn_away();
    else if (beginning_ == beginning::git && hand_over(read)) {
      pass(handler, asio::error::eof, 0);
      return;
    }
    auto fine = refused_ ? 0 : judge(read);
    if (turned_away_)
      pass(handler, asio::error::eof, 0);
    else if (over_budget_)
      // The library lets go of what it has at once.
      pass(handler, asio::error::message_size, 0);
    else if (!refused_ || fine > 0)
      pass(handler, {}, fine);
    else if ((dropped_ += size) <= max_dropped)
      read_on(into, 0, std::move(handler));
    else
      pass(handler, asio::error::eof, 0);
  }

  template <class Handler>
  void pass(Handler& handler, const error_code& error, std::size_t size) {
    auto progress = progress_;
    connection_progress::scope of{progress};
    handler(error, size);
  }

  /// How many bytes RESTinio may see.
  std::size_t judge(std::string_view read) {
    const auto weight = scan_.in_chunks() ? read_budget::chunk_overhead : 1;
    auto found = scan_.add(read, desk_->rules);
    since_mark_ += found.fine * weight;
    if (scan_.known() && !std::exchange(known_, true))
      ::setsockopt(native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &max_unsent,
                   sizeof max_unsent);
    if (on_trial_ && found.refused.status != 0) {
      turn_away(found.refused);
      return 0;
    }
    if (std::exchange(heads_, scan_.heads()) != scan_.heads()) {
      if (on_trial_ && !judge_newcomer())
        return 0;
      await_answer();
    }
    if (found.refused.status != 0) {
      refuse(found.refused, scan_.head().request_id(), scan_.request_line());
      return found.fine;
    }
    count();
    if (memory_.is_too_large() || memory_.is_too_much())
      give_up("the server is short of memory for requests, try again");
    else if (memory_.is_over_share())
      give_up("what this key or address is sending takes more memory than one "
              "may have, try again");
    else if (scan_.must_go_ahead() && !writing_)
      say("HTTP/1.1 100 Continue\r\n\r\n");
    return found.fine;
  }

  // -- the end of input -------------------------------------------------------

  /// All requests that came whole have been answered, to the last byte.
  bool settled() const noexcept {
    return (turned_away_ || progress_->ended() == scan_.whole()) && !writing_;
  }

  /// What is still to be written is of use to nobody.
  bool is_useless() const noexcept {
    return cut_ || progress_->streams();
  }

  /// A client that has sent all it wants to send may still read.
  template <class Handler>
  void await_answers(Handler&& handler) {
    auto held =
      std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
    at_end_ = std::make_shared<end_of_input>(
      [held](const error_code& why) { (*held)(why, std::size_t{0}); });
    desk_->waiting.add(at_end_);
    progress_->input_ends();
  }

  void end_input(const error_code& why) {
    if (auto what = std::exchange(at_end_, nullptr))
      asio::post(get_executor(), [what, why] {
        if (auto tell = std::exchange(*what, nullptr))
          tell(why);
      });
  }

  // -- what becomes of the answers --------------------------------------------

  void progressed() override {
    forget_answered();
    settle();
  }

  void settle() {
    auto all = settled();
    if (all && !refusal_.empty()) {
      say(std::exchange(refusal_, {}));
      if (!known_ && desk_->is_crowded())
        hold();
      else
        end_output();
    }
    if (all || is_useless())
      end_input(asio::error::eof);
    if (all && !cut_ && !scan_.known() && scan_.in_head())
      await_request();
  }

  void end_output() {
    error_code ignored;
    base::shutdown(base::shutdown_send, ignored);
  }

  void cut() override {
    cut_ = true;
    error_code ignored;
    base::shutdown(base::shutdown_both, ignored);
    end_input(asio::error::eof);
  }

  // -- who it is --------------------------------------------------------------

  void await_request() {
    if (std::exchange(asking_, false) || !stranger_)
      wait_among(desk_->strangers);
  }

  void await_answer() {
    asking_ = !known_;
    if (known_)
      stranger_.reset();
    else
      wait_among(desk_->asking);
  }

  /// The client has its answer, and may close.
  void hold() {
    held_ = true;
    asking_ = false;
    wait_among(desk_->held);
  }

  void wait_among(newcomers& these) {
    newcomers::connection& self = *this;
    stranger_.emplace(these, self);
  }

  void came_late() override {
    if (on_trial_) {
      turn_away();
      return;
    }
    if (!std::exchange(held_, false)) {
      cut();
      return;
    }
    end_output();
    wait_among(desk_->strangers);
  }

  bool gives_way(std::string_view client) override {
    const auto is_theirs =
      client.empty() || (place_ && place_->client() == client);
    // Who reads a stream was let in; another node's is some client's of it.
    if (!is_theirs || cut_ || known_ || progress_->streams()
        || progress_->of_peer)
      return false;
    cut();
    place_.reset();
    stranger_.reset();
    return true;
  }

  // -- memory -----------------------------------------------------------------

  void count() {
    memory_.set(desk_->memory, before_mark_ + since_mark_,
                [this] { return sender(); });
  }

  /// What was read of a request is let go of when its answer begins. Those that
  /// come one upon the other are counted in two heaps, so that neither grows
  /// for ever.
  void forget_answered() {
    while (progress_->begun() >= mark_ && before_mark_ + since_mark_ > 0) {
      before_mark_ = std::exchange(since_mark_, 0);
      mark_ = scan_.whole() + scan_.within();
      if (progress_->begun() >= mark_)
        before_mark_ = 0;
      else
        break;
    }
    count();
  }

  std::size_t sender() {
    auto& shown = scan_.head().credential();
    if (scan_.head().done() && !shown.empty())
      return std::hash<std::string>{}(shown);
    if (address_ == 0)
      address_ = std::hash<std::string>{}(address());
    return address_;
  }

  // -- refusals ---------------------------------------------------------------

  void give_up(std::string why) {
    over_budget_ = true;
    refuse({503, std::move(why)}, {});
  }

  void refuse(const head_refusal& why, std::string_view sent_id,
              std::string_view request_line = {}) {
    refused_ = true;
    before_mark_ = since_mark_ = 0;
    count();
    const auto id =
      desk_->request_id ? desk_->request_id(sent_id) : std::string{sent_id};
    if (desk_->refused)
      desk_->refused(request_line, id, address(), why.status);
    refusal_ = refusal_text(why, id);
    settle();
  }

  void say(std::string_view text) {
    [[maybe_unused]] auto sent = ::send(
      native_handle(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  std::string address() {
    error_code unknown;
    return base::remote_endpoint(unknown).address().to_string();
  }

  // -- the beginning ----------------------------------------------------------

  /// False: its address has as many as it may, or nearly all are open.
  bool take_place() {
    const auto of_peer = progress_->of_peer;
    auto& shares = of_peer ? desk_->shares_of_nodes : desk_->shares;
    error_code gone;
    auto peer = shares ? base::remote_endpoint(gone) : endpoint_type{};
    if (!shares || gone)
      return true;
    // Of another node's connections each is another client's.
    const auto client =
      of_peer ? address_shares::other_nodes : peer.address().to_string();
    place_ = shares->take(client);
    if (!place_ || !desk_->is_nearly_full || !desk_->is_nearly_full())
      return place_ != nullptr;
    return of_peer && take_spare_place();
  }

  /// False: there is none left.
  bool take_spare_place() {
    progress_->in_spare_place = desk_->has_spare_place();
    return progress_->in_spare_place;
  }

  /// A flood of such is kept small, too: who shows a key does so at once.
  void try_out() {
    on_trial_ = true;
    if (desk_->on_trial.size() >= desk_->max_on_trial)
      desk_->on_trial.hurry();
    wait_among(desk_->on_trial);
  }

  /// The head of its first request came whole. False: it is turned away.
  bool judge_newcomer() {
    const auto of = address();
    if (!place_)
      place_ = desk_->shares->take(of);
    if (!place_ && known_ && desk_->make_room(address_shares::client_of(of)))
      place_ = desk_->shares->take_over(of);
    on_trial_ = false;
    stranger_.reset();
    if (place_
        && (!desk_->is_nearly_full() || desk_->make_room()
            || (known_ && take_spare_place())))
      return true;
    turn_away();
    return false;
  }

  void turn_away() {
    turn_away({503, why_no_place()});
  }

  /// It gets no place, and is closed at once, crowd or not: who waits to be
  /// accepted would wait for it. What has come already is read, so that the
  /// client gets to read the answer.
  void turn_away(const head_refusal& why) {
    turned_away_ = true;
    if (std::exchange(on_trial_, false))
      stranger_.reset();
    std::array<char, 16384> nowhere;
    for (auto rounds = max_dropped / nowhere.size(); rounds > 0; --rounds)
      if (::recv(native_handle(), nowhere.data(), nowhere.size(), MSG_DONTWAIT)
          != static_cast<ssize_t>(nowhere.size()))
        break;
    const auto known_id = scan_.head().done();
    refuse(why, known_id ? scan_.head().request_id() : std::string_view{},
           known_id ? scan_.request_line() : std::string_view{});
    cut();
  }

  std::string why_no_place() const {
    if (place_)
      return "nearly all connections that are served are open, try again";
    const auto of_peer = progress_->of_peer;
    auto& shares = of_peer ? desk_->shares_of_nodes : desk_->shares;
    return (of_peer ? "what other nodes pass on has " : "this address has ")
           + std::to_string(shares->max_of_one())
           + " connections open, which is what " + (of_peer ? "they" : "one")
           + " may have; try again when some are closed";
  }

  beginning beginning_of(std::string_view read) const {
    if (!desk_->take_git)
      return beginning::other;
    constexpr std::array<std::string_view, 4> marks{"GET /git/", "POST /git/",
                                                    "HEAD /git/", "PUT /git/"};
    for (auto mark : marks)
      if (read.starts_with(mark))
        return beginning::git;
      else if (mark.starts_with(read))
        return beginning::unknown;
    return beginning::other;
  }

  bool hand_over(std::string_view read) {
    beginning_ = beginning::other;
    error_code error;
    auto socket = base::release(error);
    if (error)
      return false;
    desk_->take_git({unique_fd{socket}, std::string{read}, leave_place(),
                     progress_->of_peer});
    return true;
  }

  void leave() noexcept {
    memory_.drop();
    stranger_.reset();
    if (progress_)
      progress_->listen(nullptr);
  }

  /// Bytes in the kernel that a client with a key has not made room for.
  static constexpr int max_unsent = 128 * 1024;

  /// Of what comes after a refusal.
  static constexpr std::size_t max_dropped = std::size_t{4} << 20;

  front_desk* desk_ = nullptr;
  std::shared_ptr<connection_progress> progress_; // null: nothing was read yet
  beginning beginning_ = beginning::unknown;
  request_scan scan_;
  std::uint64_t heads_ = 0; // of which is known
  bool known_ = false;      // it has shown a key
  bool refused_ = false;
  bool held_ = false;
  bool asking_ = false;   // it waits for an answer, without a key
  bool on_trial_ = false; // it came where there was no place
  bool turned_away_ = false;
  bool over_budget_ = false;
  bool writing_ = false;
  bool cut_ = false;
  std::string refusal_; // to be written when those before it have been answered
  std::size_t dropped_ = 0;

  read_budget::part memory_;
  std::size_t before_mark_ = 0; // read of requests up to the mark
  std::size_t since_mark_ = 0;
  std::uint64_t mark_ = 0;
  std::size_t address_ = 0; // hashed; 0: not asked for

  std::optional<newcomers::place> stranger_; // its time is short
  std::unique_ptr<address_shares::place> place_;
  std::shared_ptr<end_of_input> at_end_; // null: the client may send more
};

} // namespace greenroom::http
