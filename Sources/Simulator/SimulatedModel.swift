/// How one of the simulator's models behaves.
struct SimulatedModel: Sendable {
  var name: String
  /// Milliseconds before the first token; drawn from the range by the prompt.
  var ttft: ClosedRange<Int>
  /// Milliseconds between tokens, likewise. 0 sends all at once.
  var gap: ClosedRange<Int>
  /// Tokens of a reply that `max_tokens` does not cut.
  var length: ClosedRange<Int>
  var faults: Faults

  static func all(faults: Faults) -> [SimulatedModel] {
    [
      // About what a small hosted model does.
      SimulatedModel(name: "story", ttft: 180...420, gap: 12...22, length: 60...120, faults: Faults()),
      SimulatedModel(name: "fast", ttft: 0...0, gap: 0...0, length: 12...20, faults: Faults()),
      SimulatedModel(name: "flaky", ttft: 10...60, gap: 1...4, length: 20...40, faults: faults),
    ]
  }
}

/// What goes wrong, and how often: proportions of requests, 0…1, together at most 1.
public struct Faults: Sendable, Equatable {
  public var rateLimited = 0.0
  public var server = 0.0
  public var cut = 0.0
  public var stall = 0.0

  public init() {}

  /// What `sim/flaky` does unless told otherwise.
  public static let usual: Faults = {
    var faults = Faults()
    (faults.rateLimited, faults.server, faults.cut, faults.stall) = (0.10, 0.05, 0.05, 0)
    return faults
  }()

  public struct ParseError: Error, CustomStringConvertible {
    public var description: String
  }

  /// - Parameter text: `429=0.1,500=0.05,cut=0.05,stall=0.01`; what is not named is 0.
  public init(parsing text: String) throws {
    for part in text.split(separator: ",") {
      let pair = part.split(separator: "=", maxSplits: 1)
      guard pair.count == 2, let share = Double(pair[1]), (0...1).contains(share) else {
        throw ParseError(description: "`\(part)` is not NAME=SHARE with a share from 0 to 1")
      }
      switch pair[0] {
      case "429": rateLimited = share
      case "500": server = share
      case "cut": cut = share
      case "stall": stall = share
      default: throw ParseError(description: "there is no fault `\(pair[0])`; there is: 429, 500, cut, stall")
      }
    }
    guard rateLimited + server + cut + stall <= 1.0001 else { throw ParseError(description: "the shares add up to more than 1") }
  }

  enum Fault { case rateLimited, server, cut, stall }

  /// The fault for a draw from 0..<1.
  func fault(_ draw: Double) -> Fault? {
    var bound = rateLimited
    if draw < bound { return .rateLimited }
    bound += server
    if draw < bound { return .server }
    bound += cut
    if draw < bound { return .cut }
    bound += stall
    return draw < bound ? .stall : nil
  }
}
