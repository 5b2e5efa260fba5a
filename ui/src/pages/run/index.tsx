export { default, preload } from "@/pages/run/Run";
