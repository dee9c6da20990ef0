//! Rate limit algorithms and their bounded tables. Pure: the clock is passed in.
