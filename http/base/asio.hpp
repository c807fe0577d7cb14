// Which Asio this is: Boost's, in every part of http, so that RESTinio, Beast
// and our own coroutines share one event loop.
//
// Declares names only; sources include the <boost/asio/…> headers they use.
#pragma once

namespace boost::system {
class error_code;
}

namespace boost::asio {
class io_context;
}

namespace greenroom {

namespace asio = boost::asio;
using boost::system::error_code;

} // namespace greenroom
