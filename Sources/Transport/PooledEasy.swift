import CCurl
import Names
import Secrets

/// An easy handle with its base options set, used for one transfer after another: a fresh handle would cost 26,000 instructions
/// a request. Confined to the curl thread.
final class PooledEasy {
  let handle: Easy
  /// Where certificates are taken from, where the environment says so.
  let trust: String?
  private let errorBuffer: UnsafeMutablePointer<CChar>
  /// What the last transfer left set: libcurl copies every text it is given, and most transfers of a handle go to one place.
  /// The address is kept alive by it too, for libcurl holds a pointer into it.
  private var last: Target?

  private struct Target: Equatable {
    var address: HTTPAddress
    var proxy: ProxyServer?
    var isPost: Bool
    var connect: Int
    var isFresh: Bool

    static func == (a: Target, b: Target) -> Bool {
      a.address === b.address && a.proxy == b.proxy && a.isPost == b.isPost && a.connect == b.connect && a.isFresh == b.isFresh
    }
  }

  /// - Parameters:
  ///   - share: DNS and TLS sessions for all handles of the loop.
  ///   - driver: told of closed sockets; outlives the handle.
  init?(share: UnsafeMutableRawPointer?, driver: UnsafeMutableRawPointer, settings: TransportSettings) {
    guard let handle = cc_easy_init() else { return nil }
    self.handle = handle
    trust = settings.caSource
    errorBuffer = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorBuffer.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    set(CURLOPT_NOSIGNAL, 1)
    set(CURLOPT_QUICK_EXIT, 1)  // else removing a resolving transfer waits for the whole lookup
    set(CURLOPT_TCP_KEEPALIVE, 1)
    // Events are small, and a stream has this for as long as it runs: libcurl would take 16 KB.
    set(CURLOPT_BUFFERSIZE, 4096)
    set(CURLOPT_UPLOAD_BUFFERSIZE, 16384)
    set(CURLOPT_MAXAGE_CONN, 110)
    set(CURLOPT_DNS_CACHE_TIMEOUT, 60)
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    set(CURLOPT_FOLLOWLOCATION, 0)  // a key never follows a redirect
    _ = cc_easy_set_text(handle, CURLOPT_PROTOCOLS_STR, "http,https")
    // libcurl 7.88's HTTP/2 fails requests that are answered before their body is read; from 8.7 on it is sound.
    if cc_version_num() >= 0x080700 {
      set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
      set(CURLOPT_PIPEWAIT, 1)
    } else {
      set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    }
    // With CAPATH unset libcurl caches the parsed bundle: 1 ms instead of 25 for each new TLS connection on Debian.
    _ = cc_easy_set_text(handle, CURLOPT_CAPATH, settings.caFolder.map(SystemText.bytes))
    // What is excepted is known to us already.
    _ = cc_easy_set_text(handle, CURLOPT_NOPROXY, "")
    if let bundle = settings.caBundle { _ = cc_easy_set_text(handle, CURLOPT_CAINFO, SystemText.bytes(bundle)) }
    if let share { _ = cc_easy_set_ptr(handle, CURLOPT_SHARE, share) }
    _ = cc_easy_set_ptr(handle, CURLOPT_ERRORBUFFER, errorBuffer)
    _ = cc_easy_set_close_callback(handle, driver)
    _ = cc_easy_set_data_callback(handle, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
      CurlLoop.receivedHeader(UnsafeRawBufferPointer(start: bytes, count: size * count), context)
    }
    _ = cc_easy_set_data_callback(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
      CurlLoop.receivedBody(UnsafeRawBufferPointer(start: bytes, count: size * count), context)
    }
  }

  /// Whether a handle may carry a second transfer. Before libcurl 8.1.1 (its pull request 11103) it keeps a pointer to the last header of
  /// an answer when it frees them all, and a folded line at the start of the next answer is written there: a server could end the
  /// program, after an answer that was whole too.
  static let isReusable = cc_version_num() >= 0x080101

  deinit {
    cc_easy_cleanup(handle)
    errorBuffer.deallocate()
  }

  private func set(_ option: CURLoption, _ value: Int) {
    _ = cc_easy_set_long(handle, option, value)
  }

  /// Points the handle at a transfer, which must live until `CurlLoop` has taken the handle back.
  func prepare(for transfer: Transfer, fresh: Bool) {
    let context = Unmanaged.passUnretained(transfer).toOpaque()
    errorBuffer[0] = 0
    _ = cc_easy_set_slist(handle, CURLOPT_HTTPHEADER, transfer.request.headers.list)
    let connect = Int(transfer.request.deadlines.connect.map { max(1, $0.nanoseconds / 1_000_000) } ?? 0)
    let wanted = Target(
      address: transfer.request.address, proxy: transfer.proxy, isPost: transfer.body != nil, connect: connect, isFresh: fresh)
    if last != wanted {
      // Where both are set libcurl goes by the parsed one; before 8.x it still keeps the text of the handle's first address.
      _ = cc_easy_set_text(handle, CURLOPT_URL, wanted.address.wire)
      _ = cc_easy_set_ptr(handle, CURLOPT_CURLU, wanted.address.parsed.map { UnsafeRawPointer($0) })
      _ = cc_easy_set_text(handle, CURLOPT_PROXY, wanted.proxy?.address ?? "")
      _ = cc_easy_set_text(handle, CURLOPT_PROXYUSERNAME, wanted.proxy?.userinfo?.name)
      _ = cc_easy_set_text(handle, CURLOPT_PROXYPASSWORD, wanted.proxy?.userinfo.map { $0.password ?? "" })
      set(CURLOPT_CONNECTTIMEOUT_MS, wanted.connect)
      set(CURLOPT_FRESH_CONNECT, wanted.isFresh ? 1 : 0)
      set(wanted.isPost ? CURLOPT_POST : CURLOPT_HTTPGET, 1)
      last = wanted
    }
    if let body = transfer.body {
      _ = cc_easy_set_ptr(handle, CURLOPT_POSTFIELDS, body.baseAddress)
      _ = cc_easy_set_off(handle, CURLOPT_POSTFIELDSIZE_LARGE, Int64(body.count))
    }
    _ = cc_easy_set_ptr(handle, CURLOPT_WRITEDATA, context)
    _ = cc_easy_set_ptr(handle, CURLOPT_HEADERDATA, context)
    _ = cc_easy_set_ptr(handle, CURLOPT_PRIVATE, context)
    _ = cc_easy_set_open_callback(handle, context)
  }

  /// Whether the transfer ran on a connection that was already there.
  var reusedConnection: Bool { cc_easy_get_long(handle, CURLINFO_NUM_CONNECTS) == 0 }

  /// libcurl's own words for what went wrong, without what is secret in them.
  func message(_ code: CURLcode) -> String {
    let detail = String(cString: errorBuffer)
    return Redactor.hide(detail.isEmpty ? String(cString: cc_easy_strerror(code)) : detail)
  }

  /// What the proxy answered to CONNECT; 0 where it was not asked.
  var connectStatus: Int { cc_easy_get_long(handle, CURLINFO_HTTP_CONNECTCODE) }

  var osError: Int { cc_easy_get_long(handle, CURLINFO_OS_ERRNO) }
}
