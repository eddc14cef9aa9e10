import Testing

@testable import Editor

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The history's file, whatever has become of it.
@Suite struct HistoryFileTests {
  private func withFile(_ body: (String) throws -> Void) rethrows {
    var name = Array("/tmp/promptsh-history-XXXXXX".utf8CString)
    close(mkstemp(&name))
    let path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { unlink(path) }
    try body(path)
  }

  private func write(_ path: String, _ bytes: [UInt8]) {
    let descriptor = open(path, O_WRONLY | O_TRUNC)
    _ = writeAll(descriptor, bytes)
    close(descriptor)
  }

  private func size(_ path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : -1
  }

  /// The end of a file of 90 MB is there in a moment, the file is cut down to it, and what is added meanwhile is not lost.
  @Test func aVeryLongFile() throws {
    try withFile { path in
      let old = Array(String(repeating: "\"\(String(repeating: "x", count: 1000))\"\n", count: 1000).utf8)
      var bytes: [UInt8] = []
      for _ in 0..<80 { bytes += old }
      for number in 80_000..<90_000 { bytes += Array("\"line \(number) \(String(repeating: "x", count: 980))\"\n".utf8) }
      write(path, bytes)
      let before = size(path)
      #expect(before > 85_000_000)
      var history: History?
      let took = ContinuousClock().measure { history = History(path: path) }
      let lines = try #require(history).lines
      #expect(lines.count == 10_000)
      #expect(lines.first?.hasPrefix("line 80000 ") == true && lines.last?.hasPrefix("line 89999 ") == true)
      #expect(took < .seconds(30), "\(took)")
      history?.add("one more")
      // The rewriting runs beside us.
      let start = ContinuousClock.now
      while size(path) > before / 2, start.duration(to: .now) < .seconds(30) { sched_yield() }
      #expect(size(path) < 11_000_000)
      #expect(History(path: path).lines.last == "one more")
    }
  }

  @Test func linesThatAreTooLongAndWhatIsNoneOfOurs() {
    withFile { path in
      let long = String(repeating: "y", count: 70_000)
      write(path, Array("\"one\"\n\"\(long)\"\nnoise\n\"two\\nlines\"\n\"\u{FF}".utf8) + [0xFF, 0x22, 0x0A])
      #expect(History(path: path).lines == ["one", "two\nlines"])
      // One line without an end.
      write(path, [UInt8](repeating: 0x78, count: 40 << 20))
      #expect(History(path: path).lines == [])
    }
  }

  /// A pipe, a device or a folder in its place is left alone.
  @Test func onlyPlainFiles() {
    withFile { path in
      unlink(path)
      mkfifo(path, 0o600)
      let history = History(path: path)
      history.add("x")
      #expect(history.lines == ["x"])
    }
    for path in ["/dev/zero", "/dev/tty", "/tmp", "/nonexistent/history"] {
      let history = History(path: path)
      history.add("x")
      #expect(history.lines == ["x"])
    }
  }
}

private func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Int {
  var offset = 0
  while offset < bytes.count {
    let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + offset, bytes.count - offset) }
    if count <= 0 { return offset }
    offset += count
  }
  return offset
}
