export { default } from "@/pages/version/Version";
