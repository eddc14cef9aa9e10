import Threads

/// What was read from the terminal and not used: the editor and the keys of the foreground read one input in turn, and each leaves here
/// what belongs to the next. (The terminal is the process's, and so is this.)
enum PendingInput {
  private static let bytes = Mutex<[UInt8]>([])

  static func take() -> [UInt8] {
    bytes.withLock { bytes in
      defer { bytes = [] }
      return bytes
    }
  }

  static func leave(_ rest: [UInt8]) {
    if !rest.isEmpty { bytes.withLock { $0 += rest } }
  }
}
