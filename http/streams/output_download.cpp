#include "http/streams/output_download.hpp"

#include "http/base/parse.hpp"
#include "http/edge/thread_context.hpp"
#include "http/streams/file_readers.hpp"
#include "http/streams/output_pump.hpp"
#include "http/streams/response_registry.hpp"
#include "messages/errors.hpp"
#include "messages/shortage.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/exec/output/dropped_output.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace greenroom::http {

namespace {

/// Throws where what an exec printed is not there for that reason.
void refuse_what_was_dropped(const std::filesystem::path& dir) {
  if (is_output_dropped(dir.parent_path().parent_path()))
    throw refused(errc::not_found,
                  "the output of this exec is no longer kept: sessions of its "
                  "project that ended later left more of it than a node keeps "
                  "(sessions.keep_output)");
}

/// One such answer while it is being given.
class output_answer final : public long_response,
                            public std::enable_shared_from_this<output_answer> {
public:
  output_answer(exchange_ptr ex, std::filesystem::path dir,
                const output_request& what)
    : long_response(*ex), env_(ex->env), dir_(std::move(dir)), what_(what),
      ex_(std::move(ex)) {}

  void send() {
    if (env_.streams.add(shared_from_this()))
      measure(std::make_shared<output_reader>(dir_, what_.stream));
  }

  void follow(output_tail::question ask) {
    if (!env_.streams.add(shared_from_this()))
      return;
    output_reader from{dir_, what_.stream};
    from.skip(what_.from);
    open(head_of(200), std::move(from));
    follower_ = std::make_shared<output_tail>(
      env_, dir_, std::move(ask), env_.options.heartbeat,
      [this] { pump_->look(); }, [this] { pump_->finish(); });
    follower_->tick(clock::now());
  }

  // -- long_response
  // ------------------------------------------------------------

  void close(closing why) override {
    if (!ex_)
      return;
    // What ends early must not look whole.
    if (body_)
      body_->abort();
    else
      ex_->refuse(why_closed(why));
    done();
  }

  void tick(clock::time_point now) override {
    if (!ex_)
      return;
    if (!body_ || !what_.follow)
      return;
    if (now - has_activity_ >= env_.options.heartbeat) {
      // Nothing goes out, but RESTinio's deadline for answers moves on.
      has_activity_ = now;
      touch();
    }
    follower_->tick(now);
  }

  stream_kind kind() const noexcept override {
    return stream_kind::output;
  }

private:
  static response head_of(int status) {
    response head;
    head.status = status;
    head.content_type = "application/octet-stream";
    return head;
  }

  /// Finds out how much there is, a bounded step at a time.
  void measure(const std::shared_ptr<output_reader>& all) {
    read_elsewhere(
      env_,
      [all, dir = dir_, printed = what_.printed] {
        auto more = all->measure();
        all->close();
        if (!more && all->total() == 0 && printed)
          refuse_what_was_dropped(dir);
        return more;
      },
      [self = shared_from_this(), all](bool more,
                                       const std::exception_ptr& failure) {
        if (self->ex_)
          self->measured(all, more, failure);
      });
  }

  void measured(const std::shared_ptr<output_reader>& all, bool more,
                const std::exception_ptr& failure) {
    try {
      if (failure)
        std::rethrow_exception(failure);
      if (more)
        measure(all);
      else
        send_part(all->total());
    } catch (const refused&) {
      ex_->refuse(refusal_of(std::current_exception()));
      done();
    } catch (const std::exception& e) {
      env_.log->error("the output of an exec cannot be read: {} request={}",
                      e.what(), ex_->id);
      ex_->refuse(refusal_of(std::current_exception()));
      done();
    }
  }

  void send_part(std::uint64_t total) {
    byte_range part{what_.from, total};
    auto head = head_of(200);
    if (what_.from == 0) {
      auto asked = parse_range(ex_->in.range, total);
      if (asked && asked->begin == asked->end) {
        refuse_range(total);
        return;
      }
      if (asked) {
        part = *asked;
        head.status = 206;
        head.headers.emplace_back("Content-Range",
                                  "bytes " + std::to_string(part.begin) + '-'
                                    + std::to_string(part.end - 1) + '/'
                                    + std::to_string(total));
      }
    }
    part.begin = std::min(part.begin, part.end);
    head.headers.emplace_back("Accept-Ranges", "bytes");
    head.content_length = part.end - part.begin;
    if (ex_->in.head || part.begin == part.end) {
      ex_->send(std::move(head));
      done();
      return;
    }
    output_reader from{dir_, what_.stream};
    from.skip(part.begin);
    open(std::move(head), std::move(from));
    pump_->limit(part.end - part.begin);
    pump_->finish();
  }

  void refuse_range(std::uint64_t total) {
    auto answer = error_response(
      {errc::bad_request, "the range begins behind the end of the output, "
                          "which has "
                            + std::to_string(total) + " bytes so far"},
      ex_->id, now_ms());
    answer.status = 416;
    answer.headers.emplace_back("Content-Range",
                                "bytes */" + std::to_string(total));
    ex_->send(std::move(answer));
    done();
  }

  void open(response head, output_reader from) {
    has_activity_ = clock::now();
    body_ = ex_->begin(std::move(head));
    pump_ = std::make_shared<output_pump>(
      env_, std::move(from),
      [this](slice bytes, std::function<void(bool)> taken) {
        body_->write({std::move(bytes)}, std::move(taken));
      },
      [this](output_pump::outcome how) {
        auto self = shared_from_this();
        if (how == output_pump::outcome::done)
          body_->finish();
        else
          body_->abort();
        done();
      });
    // The head goes out at once, also where nothing was printed yet.
    touch();
  }

  /// Writes nothing, and so learns whether the client is still there: one that
  /// left before this was added to the table was announced to nobody.
  void touch() {
    body_->write({}, [weak = weak_from_this()](bool well) {
      if (auto self = weak.lock(); self && !well)
        self->close(closing::left);
    });
  }

  void done() {
    if (pump_)
      pump_->stop();
    if (follower_)
      follower_->stop();
    body_.reset();
    ex_.reset();
    env_.streams.remove(*this);
  }

  http::edge& env_;
  const std::filesystem::path dir_;
  const output_request what_;
  exchange_ptr ex_; // null: over
  std::unique_ptr<body_writer> body_;
  std::shared_ptr<output_pump> pump_;
  std::shared_ptr<output_tail> follower_;
  clock::time_point has_activity_;
};

} // namespace

std::optional<std::uint64_t> read_first_byte(const exchange& ex) {
  query_params query{ex.in.query};
  auto text = query.get("from");
  if (!text)
    return std::nullopt;
  auto value = parse_count(*text);
  if (!value)
    throw refused(errc::bad_request,
                  "from must be the number of a byte, counted from 0");
  return value;
}

output_request read_output_request(const exchange& ex) {
  query_params query{ex.in.query};
  output_request result;
  if (auto stream = query.get("stream")) {
    auto known = parse_choice(*stream);
    if (!known)
      throw refused(errc::bad_request,
                    "stream must be stdout, stderr, both or tty");
    result.stream = *known;
  }
  result.from = read_first_byte(ex).value_or(0);
  result.follow = query.flag("follow");
  return result;
}

void send_output(const exchange_ptr& ex, std::filesystem::path dir,
                 const output_request& what) {
  auto now = what;
  now.follow = false;
  std::make_shared<output_answer>(ex, std::move(dir), now)->send();
}

void follow_output(const exchange_ptr& ex, std::filesystem::path dir,
                   const output_request& what, output_tail::question ask) {
  ex->env.streams.admit(*ex);
  if (ex->in.head) {
    response head;
    head.content_type = "application/octet-stream";
    ex->send(std::move(head));
    return;
  }
  std::make_shared<output_answer>(ex, std::move(dir), what)
    ->follow(std::move(ask));
}

} // namespace greenroom::http
