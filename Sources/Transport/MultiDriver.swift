import CCurl

typealias Easy = UnsafeMutableRawPointer
typealias Multi = UnsafeMutableRawPointer

/// How the curl thread waits for sockets and lets libcurl work. Confined to that thread, but for the `wake` it hands out.
protocol MultiDriver: AnyObject {
  /// Gets the thread out of `turn`; from any thread.
  var wake: @Sendable () -> Void { get }
  /// Takes a transfer in; returns the shard that `remove` needs. Nil where libcurl refuses.
  func add(_ easy: Easy) -> Int?
  func remove(_ easy: Easy, shard: Int)
  /// Waits until something is ready, `wake` is called or the time is over (nil: for ever), then lets libcurl work.
  ///
  /// - Parameter woke: called between the two.
  /// - Returns: whether more was ready than was looked at.
  func turn(timeout: Int64?, woke: () -> Void) -> Bool
  /// Lets libcurl do what is due now, without waiting.
  func runDue()
  func nextDone() -> (easy: Easy, code: CURLcode)?
  /// Lets libcurl look at a transfer that was just unpaused.
  func kick(shard: Int)
  func didClose(fd: Int32)
  func close()
}

/// One multi and `curl_multi_poll`: everywhere, simplest, and as good as anything up to some hundreds of transfers.
final class PollDriver: MultiDriver {
  private let multi: Multi
  let wake: @Sendable () -> Void

  init?(mostConnections: Int? = nil) {
    guard let multi = cc_multi_init() else { return nil }
    self.multi = multi
    // Without descriptors for it libcurl makes a handle that nobody can wake.
    guard cc_multi_wakeup(multi) == CURLM_OK else {
      _ = cc_multi_cleanup(multi)
      return nil
    }
    _ = cc_multi_set_long(multi, CURLMOPT_MAXCONNECTS, 20_000)
    if let mostConnections { _ = cc_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, mostConnections) }
    _ = cc_multi_set_long(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX)
    let handle = SendableHandle(multi)
    wake = { _ = cc_multi_wakeup(handle.pointer) }
  }

  func add(_ easy: Easy) -> Int? {
    cc_multi_add(multi, easy) == CURLM_OK ? 0 : nil
  }

  func remove(_ easy: Easy, shard: Int) {
    _ = cc_multi_remove(multi, easy)
  }

  func turn(timeout: Int64?, woke: () -> Void) -> Bool {
    let milliseconds = timeout.map { Int32(clamping: ($0 + 999_999) / 1_000_000) } ?? 3_600_000
    _ = cc_multi_poll(multi, milliseconds)
    woke()
    _ = cc_multi_perform(multi)
    return false
  }

  func runDue() { _ = cc_multi_perform(multi) }

  func nextDone() -> (easy: Easy, code: CURLcode)? {
    var code = CURLE_OK
    return cc_multi_next_done(multi, &code).map { ($0, code) }
  }

  func kick(shard: Int) {}
  func didClose(fd: Int32) {}

  func close() {
    _ = cc_multi_cleanup(multi)
  }
}

/// `@unchecked Sendable`: `curl_multi_wakeup` is the one call libcurl allows from any thread, and the only use of this.
private struct SendableHandle: @unchecked Sendable {
  let pointer: Multi
  init(_ pointer: Multi) { self.pointer = pointer }
}
