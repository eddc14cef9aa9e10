import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Whether a write of a few bytes is over at once. For signal handlers too.
func takesOutput(_ descriptor: Int32) -> Bool {
  #if canImport(Glibc)
    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return poll(&waiting, 1, 0) > 0
  #else
    // macOS's poll takes a terminal for invalid.
    guard descriptor >= 0, descriptor < 1024 else { return false }
    var set = fd_set()
    withUnsafeMutableBytes(of: &set) { $0[Int(descriptor) / 8] |= 1 << UInt8(descriptor % 8) }
    var timeout = timeval(tv_sec: 0, tv_usec: 0)
    return select(descriptor + 1, nil, &set, nil, &timeout) > 0
  #endif
}

/// What stands on the terminal below what scrolls: the block being edited. Every change is one write.
struct Screen {
  private var block = LiveBlock()

  /// Columns and rows of the terminal now.
  static var size: (columns: Int, rows: Int) {
    var size = winsize()
    guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// Draws a block in place of the one that stands there, with the lines of `above` printed over it.
  mutating func draw(_ layout: Layout, above: String = "") {
    var lines = above.split(separator: "\n", omittingEmptySubsequences: false)
    if above.isEmpty || above.hasSuffix("\n") { lines.removeLast() }
    var out = Drawing()
    // Whatever another program has left on this row.
    if !block.isShown { out.control(.start, .eraseRow) }
    out.append(block.draw(layout.rows, cursor: layout.cursor, above: lines.map { StyledText(String($0)) }))
    Screen.write(out)
  }

  /// Leaves the block where it is and goes below it.
  mutating func finish(_ layout: Layout) {
    draw(layout)
    Screen.write(block.leave())
  }

  mutating func clear() {
    var out = Drawing()
    out.control(.clear)
    Screen.write(out)
    block.forget()
  }

  mutating func resized(to columns: Int) { block.resized(to: columns) }

  /// Somebody else has had the screen: nothing of ours stands there.
  mutating func forget() { block.forget() }

  mutating func erase() { Screen.write(block.erase()) }

  /// The one place where the editor writes to the terminal.
  static func write(_ drawing: Drawing) {
    let bytes = drawing.bytes
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        #if canImport(Glibc)
          Glibc.write(1, buffer.baseAddress! + offset, buffer.count - offset)
        #else
          Darwin.write(1, buffer.baseAddress! + offset, buffer.count - offset)
        #endif
      }
      if count > 0 { offset += count } else if errno != EINTR && errno != EAGAIN { return }
    }
  }

  /// Tells the terminal something that shows nothing, if it takes anything now: one whose reader has stopped is not waited for.
  static func tell(_ control: Drawing.Control) {
    guard isatty(1) == 1, takesOutput(1) else { return }
    var out = Drawing()
    out.control(control)
    write(out)
  }
}
