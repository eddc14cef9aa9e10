/// libFuzzer's entry: parses what it is given, formats it, and stops at whatever breaks a promise.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let text = String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
  let vocabulary = Vocabulary(
    commands: ["ask", "map", "where", "sort", "take", "set", "print", "add", "stream", "together", "!", "count", "load", "save"],
    wordCommands: ["set"],
    switches: ["raw"], functions: ["count", "len"])
  let result = Parser.parse(Source(name: "fuzz", text: text), vocabulary: vocabulary)
  for diagnostic in result.diagnostics { _ = diagnostic.formatted() }
  guard result.diagnostics.isEmpty else { return 0 }
  guard let once = try? Formatter.format(Source(name: "fuzz", text: text), vocabulary: vocabulary) else {
    preconditionFailure("what parses cannot be laid out")
  }
  guard let twice = try? Formatter.format(Source(name: "fuzz", text: once), vocabulary: vocabulary) else {
    preconditionFailure("what was laid out does not parse any more: \(once.debugDescription)")
  }
  precondition(once == twice, "laid out twice it differs: \(once.debugDescription) \(twice.debugDescription)")
  return 0
}
