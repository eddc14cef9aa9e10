import CCurl

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What libcurl calls while it runs, on the curl thread: header lines, pieces of a body, sockets that open and close.
extension CurlLoop {
  private static func transfer(_ context: UnsafeMutableRawPointer?) -> Transfer? {
    context.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
  }

  static func receivedHeader(_ bytes: UnsafeRawBufferPointer, _ context: UnsafeMutableRawPointer?) -> Int {
    guard let transfer = transfer(context) else { return 0 }
    transfer.received += bytes.count
    guard transfer.state == .live else { return bytes.count }  // trailers of an answer that has been handed over
    if transfer.handler?.progress == nil { transfer.lastActivity = transfer.loop?.now ?? 0 }
    let head = transfer.head.line(bytes)
    if transfer.head.total > transfer.request.maximumHead {
      transfer.ending = .tooLarge("more than \(transfer.request.maximumHead >> 10) KiB of headers")
      return 0
    }
    if let head {
      if head.status == 407, let proxy = transfer.proxy {
        transfer.ending = .proxyRefused(proxy.refusal)
        return 0
      }
      transfer.loop?.passedProxy(transfer)
      transfer.handler?.received(head: head)
    }
    return bytes.count
  }

  static func receivedBody(_ bytes: UnsafeRawBufferPointer, _ context: UnsafeMutableRawPointer?) -> Int {
    guard let transfer = transfer(context) else { return 0 }
    transfer.received += bytes.count
    if transfer.state == .lingering {
      transfer.spare += bytes.count
      return transfer.spare > Transfer.maximumSpare ? 0 : bytes.count
    }
    guard let handler = transfer.handler else { return 0 }
    if transfer.received - transfer.head.total > transfer.request.maximumBody {
      transfer.ending = .tooLarge("more than \(transfer.request.maximumBody >> 20) MiB of body")
      return 0
    }
    let before = handler.progress
    let verdict = handler.received(body: bytes)
    // Until the answer begins every byte is a sign of life; from then on only more of it is.
    let after = handler.progress
    if after == nil || after != before || handler.isWaiting { transfer.lastActivity = transfer.loop?.now ?? 0 }
    transfer.loop?.noteDirty(transfer)
    switch verdict {
    case .proceed: break
    case .pause:
      transfer.isPaused = true
      if let easy = transfer.easy { _ = cc_easy_pause(easy.handle, CURLPAUSE_RECV) }
    case .stop:
      transfer.ending = .stopped
      return 0
    case .complete: transfer.isComplete = true
    }
    return bytes.count
  }

  private func noteDirty(_ transfer: Transfer) {
    guard !transfer.isDirty else { return }
    transfer.isDirty = true
    dirty.append(transfer)
  }

  /// Installed once, whichever transport starts first: libcurl's callbacks are the program's.
  static let listeners: Void = {
    cc_set_socket_listeners(
      { context, fd in
        guard let transfer = CurlLoop.transfer(context) else { return }
        if fd >= 0, let host = transfer.host { transfer.loop?.resolved(host) }
        if fd == -EMFILE || fd == -ENFILE { transfer.ending = .noDescriptors }
      },
      { context, fd in
        guard let context else { return }
        (Unmanaged<AnyObject>.fromOpaque(context).takeUnretainedValue() as? any MultiDriver)?.didClose(fd: fd)
      })
  }()
}
